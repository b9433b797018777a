# Reference values for inference (issue 3), one JSON a dataset, in tests/reference/inference.
# Run from the repository's root; names of datasets limit the run, `data` (re)writes the CSVs:
#   Rscript tests/reference/inference.R data
#   Rscript tests/reference/inference.R [names...] > tests/reference/inference.out 2>&1
#
# Definitions
#   REML, ML      lme4's optimum plus two Newton steps in the thetas that are not 0 (lme4's optimiser
#                 stops up to 1e-5 short); `gradient` is the objective's there. `criterion` is -2 log-
#                 likelihood with all constants, `criterion_at` the same function at stated thetas.
#   theta         lme4's: Cholesky factor of each term's covariance / sigma^2, by columns; `theta_names`.
#   cond_var      lme4's postVar: covariance of the modes given theta, sigma and the fixed effects.
#   satterthwaite lmerTest: numerical derivatives (numDeriv), so good to about 1e-6, not to 1e-10.
#   kenward_roger pbkrtest: se from vcovAdj, df from Lb_ddf; omnibus from KRmodcomp:
#                 `statistic` = f_scaling * `statistic_unscaled`; the unscaled one is b'L'(L vcovAdj L')^-1 Lb/q.
#   profile       limits of the ML profile likelihood at 95%. `lme4`: confint, interpolating splines.
#                 `root`: written here, uniroot on the deviance minimised over all the rest, starting
#                 from nothing but lme4's devfun; compare with these. A limit at the edge of the
#                 parameter space is the edge: 0 for a sd, -1 or 1 for a correlation.
#   sandwich      clubSandwich on lm. Scores of cluster g are X_g' A_g e_g, J clusters, p columns:
#                 CR0: A = I;  CR1: A = sqrt(J / (J - 1)) I;
#                 CR1S: A = sqrt(J (n - 1) / ((J - 1) (n - p))) I (Stata's, the project's CR1);
#                 CR2: A = B^(+1/2) with B = (I - H)_gg under an identity target, Moore-Penrose root;
#                 CR3: A = (I - H_gg)^-1 (no (J - 1)/J factor), null with a note where singular.
#                 `absorbed`: the same on outcome and treatment centred in clusters, without dummies;
#                 there CR3 exists, and is what a generalised inverse gives with the dummies.
#                 df: Satterthwaite (Bell-McCaffrey) under the identity target; omnibus HTZ, chi-square/q
#                 as F with J - 1 (`naive_f`).
#   lrt_group     2 (restricted loglik - the same without any random effect), p of 0.5 chi2_0 + 0.5 chi2_1.
#   group_means   lm on the groups' means of outcome and covariates; `weighted` by rows per group.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
  library(emmeans)
  library(clubSandwich)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # factor levels sort as bytes, as in Python
options(warn = 1, digits = 10)
emm_options(pbkrtest.limit = Inf, lmerTest.limit = Inf)

FOLDER <- "tests/reference"
STAR <- "data/raw/star_kindergarten.csv"
local_csv <- function(name) file.path(FOLDER, "data", name)

TIGHT <- lmerControl(
  optimizer = "nloptwrap", calc.derivs = FALSE,
  optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)
)
AT_START <- lmerControl(optimizer = NULL, calc.derivs = FALSE) # evaluates at `start`
CR_TYPES <- c("CR0", "CR1", "CR1S", "CR2", "CR3")
MAX_FULL <- 12 # columns of X up to which every coefficient and the whole vcov is stored
MAX_LEVELS <- 40 # of BLUPs a factor

# ---- datasets ------------------------------------------------------------------------------------

ONE <- list(0, 0.25, 0.5, 1, 2)
TWO <- list(c(0, 0), c(0.5, 0), c(0, 0.5), c(0.5, 0.5), c(1, 0.5))
SLOPES_OF_TWO <- list( # two arms against the reference
  c(0, 0, 0, 0, 0, 0), c(1, 0, 0, 1, 0, 1), c(4, 3, -1, 5, 2, 3), c(2, 0.5, 0, 1, -0.5, 0.3)
)
SLOPES <- list(c(0, 0, 0), c(1, 0, 1), c(0.5, 0.1, 0.2), c(1, -0.3, 0.4), c(2, 0.1, 0))

star <- function(outcome) {
  f <- function(text) as.formula(paste(outcome, "~ class_type +", text))
  list(
    file = STAR, outcome = outcome, treatment = "class_type",
    levels = c("regular", "small", "regular with aide"), group = "teacher", block = "school",
    factors = c("teacher", "school"),
    models = list(
      blocked = list(formula = f("school + (1 | teacher)"), thetas = ONE, profile = "root"),
      nested = list(formula = f("(1 | school / teacher)"), thetas = TWO, profile = "root"),
      school = list(formula = f("(1 | school)"), thetas = ONE, profile = "root")
    ),
    sandwich = list(
      blocked = list(formula = f("school"), cluster = "teacher"),
      plain = list(formula = f("1"), cluster = "teacher"),
      blocked_by_block = list(formula = f("school"), cluster = "school"),
      absorbed_by_block = list(absorb = TRUE, cluster = "school"),
      plain_by_block = list(formula = f("1"), cluster = "school")
    ),
    means = list(formula = f("school"))
  )
}

# `levels`: reference first. `models`: lmer formulas, with the thetas of `criterion_at`.
DATASETS <- list(
  flipped_classroom = list(
    file = local_csv("flipped_classroom.csv"), outcome = "score", treatment = "style",
    levels = c("No flip", "Some flip", "Fully flipped"), group = "professor", factors = "professor",
    models = list(group = list(formula = score ~ style + (1 | professor), thetas = ONE)),
    sandwich = list(plain = list(formula = score ~ style, cluster = "professor")),
    means = list(formula = score ~ style)
  ),
  unbalanced = list(
    file = local_csv("unbalanced.csv"), outcome = "y", treatment = "arm",
    levels = c("A", "B", "C"), group = "clinic", covariates = "x", factors = "clinic",
    models = list(group = list(formula = y ~ arm + x + (1 | clinic), thetas = ONE)),
    sandwich = list(plain = list(formula = y ~ arm + x, cluster = "clinic")),
    means = list(formula = y ~ arm + x)
  ),
  boundary = list(
    file = local_csv("boundary.csv"), outcome = "y", treatment = "arm",
    levels = c("control", "treated"), group = "region", factors = "region",
    models = list(group = list(formula = y ~ arm + (1 | region), thetas = ONE)),
    sandwich = list(plain = list(formula = y ~ arm, cluster = "region")),
    means = list(formula = y ~ arm)
  ),
  blocked = list(
    file = local_csv("blocked.csv"), outcome = "y", treatment = "arm",
    levels = c("usual", "new"), group = "ward", block = "site", factors = c("ward", "site"),
    models = list(
      blocked = list(formula = y ~ arm + site + (1 | ward), thetas = ONE),
      nested = list(formula = y ~ arm + (1 | site / ward), thetas = TWO)
    ),
    sandwich = list(
      blocked = list(formula = y ~ arm + site, cluster = "ward"),
      plain = list(formula = y ~ arm, cluster = "ward"),
      blocked_by_block = list(formula = y ~ arm + site, cluster = "site"),
      absorbed_by_block = list(absorb = TRUE, cluster = "site")
    ),
    means = list(formula = y ~ arm + site)
  ),
  within = list(
    file = local_csv("within.csv"), outcome = "y", treatment = "arm",
    levels = c("control", "treated"), group = "cluster", factors = "cluster",
    models = list(
      group = list(formula = y ~ arm + (1 | cluster), thetas = ONE),
      slopes = list(formula = y ~ arm + (arm | cluster), thetas = SLOPES)
    ),
    sandwich = list(
      plain = list(formula = y ~ arm, cluster = "cluster"),
      dummy = list(formula = y ~ arm + cluster, cluster = "cluster"),
      absorbed = list(absorb = TRUE, cluster = "cluster")
    )
  ),
  sleepstudy = list(
    file = local_csv("sleepstudy.csv"), outcome = "Reaction", group = "Subject",
    covariates = "Days", factors = "Subject",
    models = list(
      slopes = list(formula = Reaction ~ Days + (Days | Subject), thetas = SLOPES),
      diagonal = list(formula = Reaction ~ Days + (Days || Subject), thetas = TWO)
    ),
    sandwich = list(plain = list(formula = Reaction ~ Days, cluster = "Subject"))
  ),
  hsb82 = list(
    file = local_csv("hsb82.csv"), outcome = "mAch", treatment = "sector",
    levels = c("Public", "Catholic"), group = "school", covariates = "cses", factors = "school",
    models = list(
      group = list(formula = mAch ~ sector + cses + (1 | school), thetas = ONE),
      slopes = list(formula = mAch ~ sector + cses + (cses | school), thetas = SLOPES, profile = "root")
    ),
    sandwich = list(plain = list(formula = mAch ~ sector + cses, cluster = "school")),
    means = list(formula = mAch ~ sector + cses)
  ),
  oats = list(
    file = local_csv("oats.csv"), outcome = "yield", treatment = "Variety",
    levels = c("Golden Rain", "Marvellous", "Victory"), group = "Variety:Block", block = "Block",
    covariates = "nitro", factors = "Block",
    models = list(
      split_plot = list(formula = yield ~ Variety + nitro + (1 | Block / Variety), thetas = TWO),
      split_plot_nitro = list(
        formula = yield ~ nitro_level + Variety + (1 | Block / Variety), thetas = TWO,
        treatment = "nitro_level", levels = c("none", "low", "mid", "high")
      )
    ),
    sandwich = list(plain = list(formula = yield ~ Variety + nitro, cluster = "Block"))
  ),
  machines = list(
    file = "data/raw/machines.csv", outcome = "score", treatment = "machine",
    levels = c("A", "B", "C"), group = "worker", factors = "worker",
    models = list(
      group = list(formula = score ~ machine + (1 | worker), thetas = ONE),
      slopes = list(
        formula = score ~ machine + (machine | worker), thetas = SLOPES_OF_TWO, profile = "root"
      )
    ),
    sandwich = list(
      plain = list(formula = score ~ machine, cluster = "worker"),
      absorbed = list(absorb = TRUE, cluster = "worker")
    )
  ),
  kiwi_shading = list(
    file = "data/raw/kiwi_shading.csv", outcome = "yield", treatment = "shade",
    levels = c("none", "Aug to Dec", "Dec to Feb", "Feb to May"), group = "plot", block = "block",
    factors = c("plot", "block"),
    models = list(blocked = list(formula = yield ~ shade + block + (1 | plot), thetas = ONE)),
    sandwich = list(blocked = list(formula = yield ~ shade + block, cluster = "plot")),
    means = list(formula = yield ~ shade + block)
  ),
  speeding_signs = list(
    file = "data/raw/speeding_signs.csv", outcome = "speed", treatment = "sign",
    levels = c("no sign", "sign"), group = "site", factors = c("site", "period", "pair"),
    models = list(
      period = list(
        formula = speed ~ sign + period + (1 | site) + (1 | site:period), thetas = TWO,
        profile = "root"
      ),
      period_paired = list(
        formula = speed ~ sign + period + pair + (1 | site) + (1 | site:period), thetas = TWO,
        profile = "root"
      )
    ),
    sandwich = list(
      period = list(formula = speed ~ sign + period, cluster = "site"),
      period_paired = list(formula = speed ~ sign + period + pair, cluster = "site"),
      period_paired_by_pair = list(formula = speed ~ sign + period + pair, cluster = "pair")
    )
  ),
  inhaler_leaflets = list(
    file = "data/raw/inhaler_leaflets.csv", outcome = "rating", treatment = "device",
    levels = c("device A", "device B"), group = "patient", factors = c("patient", "period"),
    models = list(
      period = list(formula = rating ~ device + period + (1 | patient), thetas = ONE, profile = "root")
    ),
    sandwich = list(period = list(formula = rating ~ device + period, cluster = "patient"))
  ),
  penicillin = list(
    file = local_csv("penicillin.csv"), outcome = "diameter", group = "plate",
    factors = c("plate", "sample"),
    models = list(crossed = list(formula = diameter ~ 1 + (1 | plate) + (1 | sample), thetas = TWO))
  ),
  insteval = list(
    file = local_csv("insteval.csv.gz"), outcome = "y", treatment = "service", levels = c("0", "1"),
    group = "s", factors = c("s", "d"),
    models = list(crossed = list(
      formula = y ~ service + (1 | s) + (1 | d), thetas = TWO[3:5],
      skip = c("kenward_roger", "emmeans", "profile")
    ))
  ),
  star_math = star("math"),
  star_reading = star("reading")
)

# ---- data ----------------------------------------------------------------------------------------

# The fewest digits that read back as the same double.
exact <- function(x) {
  if (!is.double(x)) return(as.character(x))
  vapply(x, function(v) {
    texts <- vapply(15:17, function(digits) sprintf(paste0("%.", digits, "g"), v), "")
    texts[match(TRUE, as.numeric(texts) == v, nomatch = 3)]
  }, "")
}

write_table <- function(table, name) {
  path <- local_csv(name)
  open <- if (endsWith(name, ".gz")) gzfile else file
  connection <- open(path, open = "wb") # LF on every system
  on.exit(close(connection))
  text <- as.data.frame(lapply(table, exact), check.names = FALSE)
  write.csv(text, connection, row.names = FALSE, quote = FALSE, eol = "\n")
  message(path, ": ", nrow(table), " rows")
}

# Two arms within every one of ten clusters, unequal numbers of both; effects vary between clusters.
make_within <- function() {
  RNGversion("4.0.0")
  set.seed(31)
  control <- c(3, 9, 5, 12, 7, 4, 15, 6, 8, 2)
  treated <- c(6, 4, 11, 5, 7, 10, 3, 9, 2, 8)
  cluster <- rep(1:10, control + treated)
  arm <- unlist(Map(function(a, b) rep(c("control", "treated"), c(a, b)), control, treated))
  mean <- 30 + rnorm(10, sd = 4)[cluster] + (2 + rnorm(10, sd = 3)[cluster]) * (arm == "treated")
  data.frame(
    cluster = sprintf("c%02d", cluster), arm = arm,
    y = round(mean + rnorm(length(cluster), sd = 5), 3)
  )
}

make_data <- function() {
  columns <- function(package, name, ...) {
    environment <- new.env()
    data(list = name, package = package, envir = environment)
    as.data.frame(get(name, environment))[c(...)]
  }
  write_table(make_within(), "within.csv")
  write_table(columns("lme4", "sleepstudy", "Reaction", "Days", "Subject"), "sleepstudy.csv")
  write_table(columns("mlmRev", "Hsb82", "school", "sector", "cses", "mAch"), "hsb82.csv")
  oats <- columns("nlme", "Oats", "Block", "Variety", "nitro", "yield")
  oats$nitro_level <- c("none", "low", "mid", "high")[match(oats$nitro, c(0, 0.2, 0.4, 0.6))]
  write_table(oats, "oats.csv")
  write_table(columns("lme4", "Penicillin", "diameter", "plate", "sample"), "penicillin.csv")
  write_table(columns("lme4", "InstEval", "s", "d", "service", "y"), "insteval.csv.gz")
}

read_data <- function(spec) {
  raw <- read.csv(spec$file, check.names = FALSE, encoding = "UTF-8")
  raw <- raw[!is.na(raw[[spec$outcome]]), ]
  raw[[spec$outcome]] <- as.numeric(raw[[spec$outcome]])
  for (name in spec$factors) raw[[name]] <- factor(raw[[name]])
  for (role in c(list(spec), spec$models)) {
    if (!is.null(role$treatment)) {
      raw[[role$treatment]] <- factor(as.character(raw[[role$treatment]]), levels = role$levels)
    }
  }
  used <- unique(unlist(lapply(c(spec$models, spec$sandwich), function(m) all.vars(m$formula))))
  raw <- raw[used]
  stopifnot(!anyNA(raw))
  raw
}

# ---- small helpers -------------------------------------------------------------------------------

# Names without the variable R pastes before a level: "small", "block=3", "Variety=Victory".
plain <- function(names, spec) {
  for (factor in names(DATA)[vapply(DATA, is.factor, TRUE)]) {
    prefix <- if (identical(factor, spec$treatment)) "" else paste0(factor, "=")
    if (identical(factor, spec$block)) prefix <- "block="
    hit <- names %in% paste0(factor, levels(DATA[[factor]]))
    names[hit] <- paste0(prefix, substring(names[hit], nchar(factor) + 1))
  }
  sub("^\\(Intercept\\)$", "intercept", names)
}

named <- function(values, spec) setNames(as.list(unname(values)), plain(names(values), spec))

# A matrix with its names; only intercept and treatment when there are many columns.
matrix_of <- function(V, spec, columns) {
  keep <- core(columns, spec)
  values <- as.matrix(V)
  dimnames(values) <- list(columns, columns)
  list(names = as.list(plain(keep, spec)), values = unname(values[keep, keep, drop = FALSE]))
}

arms <- function(spec) if (!is.null(spec$treatment)) paste0(spec$treatment, spec$levels[-1])

core <- function(columns, spec) {
  if (length(columns) <= MAX_FULL) columns else intersect(c("(Intercept)", arms(spec)), columns)
}

unit_rows <- function(names, columns, labels) {
  L <- outer(names, columns, "==") * 1
  dimnames(L) <- list(labels, columns)
  L
}

# Rows: B - A for every pair of arms, the pairs with the reference first.
contrast_matrix <- function(spec, columns) {
  if (is.null(spec$treatment)) return(NULL)
  pairs <- combn(length(spec$levels), 2)
  unit <- function(i) as.numeric(columns == paste0(spec$treatment, spec$levels[i]))
  L <- t(apply(pairs, 2, function(p) unit(p[2]) - unit(p[1])))
  labels <- apply(pairs, 2, function(p) paste(spec$levels[p[2]], "-", spec$levels[p[1]]))
  dimnames(L) <- list(labels, columns)
  L
}

coefficient_matrix <- function(spec, columns) {
  unit_rows(core(columns, spec), columns, plain(core(columns, spec), spec))
}

omnibus_matrix <- function(spec, columns) {
  if (!is.null(spec$treatment)) unit_rows(arms(spec), columns, spec$levels[-1])
}

# One row of t-inference per row of L.
rows_of <- function(L, key, estimate, se, df, p = 2 * pt(-abs(estimate / se), df)) {
  lapply(seq_len(NROW(L)), function(i) {
    margin <- qt(0.975, df[i]) * se[i]
    row <- list(
      estimate = estimate[i], std_error = se[i], df = df[i], statistic = estimate[i] / se[i],
      p_value = p[i], conf_low = estimate[i] - margin, conf_high = estimate[i] + margin
    )
    c(setNames(list(rownames(L)[i]), key), row)
  })
}

both_rows <- function(spec, columns, infer) {
  coefficients <- coefficient_matrix(spec, columns)
  contrasts <- contrast_matrix(spec, columns)
  list(
    coefficients = infer(coefficients, "term"),
    contrasts = if (!is.null(contrasts)) infer(contrasts, "contrast")
  )
}

# The value, or a list with a note saying why there is none.
attempt <- function(expression, what) {
  tryCatch(expression, error = function(e) {
    message(what, ": ", conditionMessage(e))
    list(note = conditionMessage(e))
  })
}

timed <- function(label, expression) {
  used <- system.time(value <- expression)
  message(sprintf("  %-44s %8.3f s elapsed, %8.3f s cpu", label, used[[3]], used[[1]] + used[[2]]))
  value
}

# ---- mixed models --------------------------------------------------------------------------------

# DATA is global so that update(), which lmerTest and emmeans call, finds it.
lmer_call <- function(formula, ...) {
  environment(formula) <- globalenv()
  eval(as.call(c(list(quote(lme4::lmer), formula, data = quote(DATA)), list(...))), globalenv())
}

fit_lmer <- function(formula, REML) {
  rough <- lmer_call(formula, REML = REML, control = quote(TIGHT))
  theta <- unname(getME(rough, "theta"))
  devfun <- lmer_call(formula, REML = REML, devFunOnly = TRUE)
  free <- which(theta != 0)
  objective <- function(x) devfun(replace(theta, free, x))
  gradient <- numeric(0)
  polished <- theta
  if (length(free) > 0) {
    for (step in 1:2) {
      x <- polished[free]
      move <- solve(numDeriv::hessian(objective, x), numDeriv::grad(objective, x))
      polished <- replace(theta, free, x - move)
    }
    gradient <- numDeriv::grad(objective, polished[free])
  }
  fit <- lmer_call(formula, REML = REML, start = polished, control = quote(AT_START))
  # names as with the default control; profile() needs an optimiser to refit with
  fit@optinfo$optimizer <- "nloptwrap"
  list(fit = fit, rough = rough, devfun = devfun, theta_lme4 = theta, gradient = gradient)
}

estimates_of <- function(both, spec, thetas, REML) {
  fit <- both$fit
  list(
    theta = as.list(unname(getME(fit, "theta"))), theta_lme4 = as.list(both$theta_lme4),
    gradient = as.list(both$gradient), is_singular = isSingular(fit), sigma = sigma(fit),
    fixef = named(fixef(fit), spec), vcov = matrix_of(vcov(fit), spec, names(fixef(fit))),
    varcorr = varcorr_of(fit), criterion = if (REML) REMLcrit(fit) else -2 * c(logLik(fit)),
    loglik = as.numeric(logLik(fit)),
    criterion_at = lapply(thetas, function(theta) {
      list(theta = as.list(theta), criterion = both$devfun(theta))
    })
  )
}

varcorr_of <- function(fit) {
  table <- as.data.frame(lme4::VarCorr(fit))
  lapply(seq_len(nrow(table)), function(i) as.list(table[i, ]))
}

# Share of each term's variance; NULL with slopes, where it depends on the covariate.
icc_of <- function(fit) {
  if (!all(unlist(getME(fit, "cnms")) == "(Intercept)")) return(NULL)
  table <- as.data.frame(lme4::VarCorr(fit))
  if (anyDuplicated(table$grp)) return(NULL)
  setNames(as.list(table$vcov / sum(table$vcov)), table$grp)[table$grp != "Residual"]
}

# First levels only. `cond_var`: one matrix a level; of a diagonal model, only its diagonal is known.
random_of <- function(fit) {
  lapply(lme4::ranef(fit, condVar = TRUE), function(effects) {
    keep <- seq_len(min(nrow(effects), MAX_LEVELS))
    V <- attr(effects, "postVar")
    by_level <- function(i) {
      if (!is.list(V)) return(matrix(V[, , i], ncol(effects)))
      diag(vapply(V, function(part) part[1, 1, i], 1))
    }
    list(
      terms = as.list(colnames(effects)), levels = as.list(rownames(effects)[keep]),
      blup = unname(as.matrix(effects)[keep, , drop = FALSE]),
      cond_var = lapply(keep, by_level), only_diagonal = is.list(V)
    )
  })
}

satterthwaite_of <- function(fit, spec) {
  model <- timed("lmerTest::as_lmerModLmerTest", as_lmerModLmerTest(fit))
  columns <- names(fixef(fit))
  infer <- function(L, key) {
    rows <- do.call(rbind, lapply(seq_len(nrow(L)), function(i) contest1D(model, L[i, ])))
    rows_of(L, key, rows$Estimate, rows[["Std. Error"]], rows$df, rows[["Pr(>|t|)"]])
  }
  result <- timed("lmerTest::contest1D, all", both_rows(spec, columns, infer))
  L <- omnibus_matrix(spec, columns)
  if (!is.null(L)) {
    f <- timed("lmerTest::contestMD", contestMD(model, L))
    result$omnibus <- list(
      statistic = f[["F value"]], df_num = f$NumDF, df_den = f$DenDF, p_value = f[["Pr(>F)"]]
    )
  }
  result
}

# pbkrtest must have rebuilt the covariance that lme4 fitted; it has been wrong for some formulas.
check_sigma <- function(fit) {
  A <- getME(fit, "Lambdat") %*% getME(fit, "Zt")
  V <- sigma(fit)^2 * (Matrix::crossprod(A) + Matrix::Diagonal(ncol(A)))
  error <- max(abs(pbkrtest::get_SigmaG(fit)$Sigma - V)) / max(abs(V))
  if (error > 1e-12) message("pbkrtest: Sigma differs from lme4's by ", error)
}

kenward_roger_of <- function(fit, spec) {
  check_sigma(fit)
  columns <- names(fixef(fit))
  V0 <- vcov(fit)
  V <- timed("pbkrtest::vcovAdj", vcovAdj(fit))
  infer <- function(L, key) {
    df <- vapply(seq_len(nrow(L)), function(i) Lb_ddf(L[i, ], V0, V), 1)
    se <- sqrt(rowSums((L %*% as.matrix(V)) * L))
    rows_of(L, key, as.vector(L %*% fixef(fit)), unname(se), df)
  }
  result <- c(
    list(vcov = matrix_of(V, spec, columns)),
    timed("pbkrtest::Lb_ddf, all", both_rows(spec, columns, infer))
  )
  L <- omnibus_matrix(spec, columns)
  if (!is.null(L)) {
    s <- timed("pbkrtest::KRmodcomp", KRmodcomp(fit, L))$stats
    result$omnibus <- list(
      statistic = s$Fstat, df_num = s$ndf, df_den = s$ddf, p_value = s$p.value,
      f_scaling = s$F.scaling, statistic_unscaled = s$FstatU, p_value_unscaled = s$p.valueU
    )
  }
  result
}

limits <- function(table) {
  names(table) <- sub("^(lower|asymp)\\.(CL|LCL)$", "low", names(table))
  names(table) <- sub("^(upper|asymp)\\.(CL|UCL)$", "high", names(table))
  table
}

# emmeans orders reversed pairs 2-1, 3-1, 3-2, 4-1, ...; labels are made here, not parsed.
emmeans_of <- function(fit, spec, mode) {
  means <- timed(
    paste("emmeans,", mode), emmeans(fit, spec$treatment, lmer.df = mode, data = DATA)
  )
  table <- limits(as.data.frame(summary(means, infer = c(TRUE, FALSE))))
  pairs <- contrast(means, "revpairwise")
  by <- lapply(c(none = "none", holm = "holm", tukey = "tukey"), function(adjust) {
    limits(as.data.frame(summary(pairs, infer = c(TRUE, TRUE), adjust = adjust)))
  })
  k <- length(spec$levels)
  order <- do.call(rbind, lapply(2:k, function(i) cbind(i, seq_len(i - 1))))
  list(
    means = lapply(seq_len(k), function(i) {
      list(
        arm = as.character(table[[spec$treatment]][i]), estimate = table$emmean[i],
        std_error = table$SE[i], df = table$df[i], conf_low = table$low[i], conf_high = table$high[i]
      )
    }),
    pairs = lapply(seq_len(nrow(order)), function(i) {
      row <- by$none[i, ]
      list(
        contrast = paste(spec$levels[order[i, 1]], "-", spec$levels[order[i, 2]]),
        estimate = row$estimate, std_error = row$SE, df = row$df, statistic = row$t.ratio,
        p_value = row$p.value, conf_low = row$low, conf_high = row$high,
        p_holm = by$holm$p.value[i], p_tukey = by$tukey$p.value[i],
        conf_low_tukey = by$tukey$low[i], conf_high_tukey = by$tukey$high[i]
      )
    })
  )
}

lrt_treatment <- function(ml, spec, formula) {
  if (is.null(spec$treatment)) return(NULL)
  null <- fit_lmer(update(formula, paste(". ~ . -", spec$treatment)), REML = FALSE)$fit
  statistic <- 2 * (c(logLik(ml)) - c(logLik(null)))
  df <- length(spec$levels) - 1
  list(
    statistic = statistic, df = df, p_value = pchisq(statistic, df, lower.tail = FALSE),
    loglik_null = c(logLik(null)), theta_null = as.list(unname(getME(null, "theta")))
  )
}

lrt_group <- function(fit, formula) {
  if (length(getME(fit, "theta")) > 1) return(NULL)
  null <- lm(lme4::nobars(formula), DATA)
  loglik <- c(logLik(null, REML = TRUE))
  statistic <- max(0, 2 * (c(logLik(fit)) - loglik))
  p <- if (statistic > 0) 0.5 * pchisq(statistic, 1, lower.tail = FALSE) else 1
  list(statistic = statistic, p_value = p, loglik_null = loglik)
}

# ---- profile likelihood --------------------------------------------------------------------------

# -2 loglik (ML) as a function of theta and sigma, or of theta and one coefficient, from lme4's parts.
deviance_parts <- function(devfun, n) {
  parts <- environment(devfun)
  at <- function(theta) {
    devfun(theta)
    list(
      logdet = parts$pp$ldL2(), pwrss = parts$resp$wrss() + parts$pp$sqrL(1),
      beta = parts$pp$beta(1), unscaled = parts$pp$unsc()
    )
  }
  list(
    with_sigma = function(theta, sigma) {
      p <- at(theta)
      p$logdet + n * log(2 * pi * sigma^2) + p$pwrss / sigma^2
    },
    with_coefficient = function(theta, j, value) {
      p <- at(theta)
      pwrss <- p$pwrss + (value - p$beta[j])^2 / p$unscaled[j, j]
      p$logdet + n * (1 + log(2 * pi * pwrss / n))
    }
  )
}

# theta of (sds and correlations of each term, as in VarCorr's order sd1, cor, sd2) over sigma.
theta_from <- function(x, sigma, sizes) {
  theta <- numeric(0)
  for (size in sizes) {
    stopifnot(size <= 2)
    if (size == 1) theta <- c(theta, x[1] / sigma)
    else theta <- c(theta, c(x[1], x[2] * x[3], sqrt(max(0, 1 - x[2]^2)) * x[3]) / sigma)
    x <- x[-seq_len(size * (size + 1) / 2)]
  }
  theta
}

sd_vector <- function(fit) {
  unlist(lapply(seq_along(getME(fit, "cnms")), function(k) {
    V <- lme4::VarCorr(fit)[[k]]
    sd <- attr(V, "stddev")
    names <- paste0("sd_", names(getME(fit, "cnms"))[k], ".", names(sd))
    if (length(sd) == 1) return(setNames(sd, names))
    cor <- setNames(attr(V, "correlation")[2, 1], sub("^sd_", "cor_", names[2]))
    c(setNames(sd[1], names[1]), cor, setNames(sd[2], names[2]))
  }))
}

minimise <- function(objective, start, lower, upper) {
  # at a far-off trial theta lme4's Cholesky fails: Inf, so that nlminb steps back
  f <- function(x) tryCatch(objective(x), error = function(e) Inf)
  if (length(start) == 0) return(f(start))
  # 0 is stationary in a theta or sd, minimum or not: start inside
  start <- ifelse(start == 0 & lower == 0, 0.3, start)
  scale <- 1 / pmax(abs(start), 0.05)
  control <- list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 2000, iter.max = 1000)
  best <- Inf
  for (round in 1:2) { # a second start from the first's end
    fit <- nlminb(start, f, lower = lower, upper = upper, scale = scale, control = control)
    best <- min(best, fit$objective)
    start <- fit$par
  }
  best
}

# The point beyond `estimate` where the profile deviance has risen by `rise`, or the edge.
limit <- function(profile, estimate, step, edge, target) {
  excess <- function(x) profile(x) - target
  inside <- estimate
  repeat {
    outside <- inside + step
    if ((outside - edge) * sign(step) >= 0) {
      if (excess(edge) <= 0) return(edge)
      outside <- edge
      break
    }
    if (excess(outside) > 0) break
    inside <- outside
  }
  uniroot(excess, sort(c(inside, outside)), tol = 1e-10 * max(abs(step), 1e-3))$root
}

profile_root <- function(both, spec) {
  fit <- both$fit
  n <- nobs(fit)
  dev <- deviance_parts(both$devfun, n)
  target <- -2 * c(logLik(fit)) + qchisq(0.95, 1)
  theta <- unname(getME(fit, "theta"))
  bounds <- getME(fit, "lower")
  row <- function(name, estimate, step, edges, profile) {
    list(
      parameter = name, estimate = estimate,
      conf_low = limit(profile, estimate, -step, edges[1], target),
      conf_high = limit(profile, estimate, step, edges[2], target)
    )
  }
  columns <- names(fixef(fit))
  fixed <- lapply(match(core(columns, spec), columns), function(j) {
    profile <- function(value) {
      minimise(function(x) dev$with_coefficient(x, j, value), theta, bounds, Inf)
    }
    se <- sqrt(vcov(fit)[j, j])
    row(plain(columns[j], spec), fixef(fit)[[j]], 1.5 * se, c(-Inf, Inf), profile)
  })
  sizes <- lengths(getME(fit, "cnms"))
  if (any(sizes > 2)) return(fixed) # `theta_from` knows no more
  x <- c(sd_vector(fit), sd_residual = sigma(fit))
  low <- ifelse(startsWith(names(x), "cor_"), -1, 0)
  high <- ifelse(startsWith(names(x), "cor_"), 1, Inf)
  low[length(x)] <- 1e-6 * sigma(fit)
  random <- lapply(seq_along(x), function(k) {
    profile <- function(value) {
      f <- function(rest) {
        all <- replace(replace(x, -k, rest), k, value)
        dev$with_sigma(theta_from(all[-length(all)], all[[length(all)]], sizes), all[[length(all)]])
      }
      minimise(f, unname(x[-k]), low[-k], high[-k])
    }
    step <- if (startsWith(names(x)[k], "cor_")) 0.2 else max(0.15 * x[[k]], 0.05 * sigma(fit))
    row(names(x)[k], x[[k]], step, c(low[k], high[k]), profile)
  })
  c(fixed, random)
}

profile_lme4 <- function(both, spec) {
  intervals <- suppressMessages(confint(both$rough, method = "profile", oldNames = FALSE, quiet = TRUE))
  names <- plain(rownames(intervals), spec)
  names[names == "sigma"] <- "sd_residual"
  lapply(seq_along(names), function(i) {
    list(parameter = names[i], conf_low = intervals[i, 1], conf_high = intervals[i, 2])
  })
}

profile_of <- function(ml, spec, model) {
  which <- if (is.null(model$profile)) c("lme4", "root") else model$profile
  list(
    level = 0.95,
    lme4 = if ("lme4" %in% which) {
      attempt(timed("lme4 profile", profile_lme4(ml, spec)), "lme4 profile")
    },
    root = attempt(timed("root profile", profile_root(ml, spec)), "root profile")
  )
}

mixed <- function(name, spec) {
  model <- spec$models[[name]]
  for (role in c("treatment", "levels")) if (!is.null(model[[role]])) spec[[role]] <- model[[role]]
  skip <- function(what) what %in% model$skip
  text <- paste(deparse(model$formula, width.cutoff = 500), collapse = "")
  message(" ", name, ": ", text)
  invisible(timed("lme4::lmer, defaults", lmer_call(model$formula, REML = TRUE)))
  reml <- fit_lmer(model$formula, REML = TRUE)
  ml <- fit_lmer(model$formula, REML = FALSE)
  fit <- reml$fit
  modes <- c(satterthwaite = "satterthwaite", kenward_roger = "kenward-roger")
  list(
    formula = text, treatment = spec$treatment, levels = as.list(spec$levels), n_obs = nobs(fit),
    n_levels = as.list(lme4::ngrps(fit)), theta_names = as.list(names(getME(fit, "theta"))),
    reml = estimates_of(reml, spec, model$thetas, TRUE),
    ml = estimates_of(ml, spec, model$thetas, FALSE),
    icc = icc_of(fit), random = random_of(fit),
    satterthwaite = attempt(satterthwaite_of(fit, spec), "lmerTest"),
    kenward_roger = if (!skip("kenward_roger")) attempt(kenward_roger_of(fit, spec), "pbkrtest"),
    emmeans = if (!skip("emmeans") && !is.null(spec$treatment)) {
      lapply(modes, function(mode) attempt(emmeans_of(fit, spec, mode), "emmeans"))
    },
    profile = if (!skip("profile")) profile_of(ml, spec, model),
    lrt_treatment = lrt_treatment(ml$fit, spec, model$formula),
    lrt_group = lrt_group(fit, model$formula)
  )
}

# ---- sandwich ------------------------------------------------------------------------------------

# Smallest eigenvalue of I - H_gg over clusters; solve() in clubSandwich's CR3 may not notice a 0.
stop_if_singular <- function(fit, cluster) {
  Q <- qr.Q(qr(model.matrix(fit)))
  least <- min(vapply(split(seq_along(cluster), cluster), function(rows) {
    1 - max(svd(Q[rows, , drop = FALSE], nu = 0, nv = 0)$d)^2
  }, 1))
  if (least < 1e-10) stop("I - H_gg is singular, least eigenvalue ", format(least, digits = 1))
}

sandwich_type <- function(fit, cluster, type, spec) {
  columns <- gsub("`", "", names(coef(fit)))
  if (type == "CR3") stop_if_singular(fit, cluster)
  V <- vcovCR(fit, cluster = cluster, type = type)
  infer <- function(L, key) {
    rows <- linear_contrast(fit, V, contrasts = L, test = "Satterthwaite", p_values = TRUE)
    rows_of(L, key, rows$Est, rows$SE, rows$df, rows$p_val)
  }
  result <- c(list(vcov = matrix_of(V, spec, columns)), both_rows(spec, columns, infer))
  L <- omnibus_matrix(spec, columns)
  if (!is.null(L)) {
    table <- Wald_test(fit, constraints = L, vcov = V, test = c("HTZ", "Naive-F"))
    wald <- lapply(c("HTZ", "Naive-F"), function(test) { # the table has an order of its own
      w <- table[table$test == test, ]
      list(
        statistic = w$Fstat, delta = w$delta, df_num = w$df_num, df_den = w$df_denom,
        p_value = w$p_val
      )
    })
    result <- c(result, setNames(wald, c("omnibus_htz", "omnibus_naive_f")))
  }
  result
}

# Outcome and treatment columns centred in clusters.
fit_absorbed <- function(model, spec) {
  columns <- DATA[spec$outcome]
  for (i in 2:length(spec$levels)) {
    columns[[arms(spec)[i - 1]]] <- as.numeric(DATA[[spec$treatment]] == spec$levels[i])
  }
  centred <- lapply(columns, function(x) x - ave(x, DATA[[model$cluster]]))
  centred <- as.data.frame(centred, optional = TRUE)
  lm(reformulate(c("0", paste0("`", arms(spec), "`")), spec$outcome), centred)
}

sandwich <- function(name, spec) {
  model <- spec$sandwich[[name]]
  absorb <- isTRUE(model$absorb)
  fit <- if (absorb) fit_absorbed(model, spec) else lm(model$formula, DATA)
  text <- paste(deparse(formula(fit), width.cutoff = 500), collapse = "")
  message(" sandwich ", name, ": ", text, ", by ", model$cluster)
  stopifnot(!anyNA(coef(fit)))
  types <- lapply(setNames(CR_TYPES, CR_TYPES), function(type) {
    attempt(timed(type, sandwich_type(fit, DATA[[model$cluster]], type, spec)), type)
  })
  c(
    list(
      formula = text, cluster = model$cluster, n_obs = nobs(fit), rank = fit$rank,
      n_clusters = nlevels(DATA[[model$cluster]]), sigma = sigma(fit),
      centred_in_clusters = absorb,
      coefficients = named(setNames(coef(fit), gsub("`", "", names(coef(fit)))), spec)
    ),
    types
  )
}

# ---- group means ---------------------------------------------------------------------------------

group_means <- function(spec) {
  if (is.null(spec$means)) return(NULL)
  g <- DATA[[spec$group]]
  table <- DATA[match(levels(g), g), c(spec$treatment, spec$block), drop = FALSE]
  for (name in c(spec$outcome, spec$covariates)) table[[name]] <- as.vector(tapply(DATA[[name]], g, mean))
  table$n_g <- as.vector(table(g))
  lapply(list(unweighted = rep(1, nrow(table)), weighted = table$n_g), function(weight) {
    table$weight <- weight
    formula <- spec$means$formula
    environment(formula) <- environment()
    fit <- lm(formula, table, weights = weight)
    means_fit(fit, spec)
  })
}

means_fit <- function(fit, spec) {
  stopifnot(!anyNA(coef(fit)))
  V <- vcov(fit)
  df <- df.residual(fit)
  infer <- function(L, key) {
    rows_of(L, key, as.vector(L %*% coef(fit)), sqrt(rowSums((L %*% V) * L)), rep(df, nrow(L)))
  }
  b <- coef(fit)[arms(spec)]
  f <- c(b %*% solve(V[arms(spec), arms(spec)], b)) / length(b)
  omnibus <- list(
    statistic = f, df_num = length(b), df_den = df, p_value = pf(f, length(b), df, lower.tail = FALSE)
  )
  c(
    list(n_groups = nobs(fit), df_residual = df, sigma = sigma(fit)),
    both_rows(spec, names(coef(fit)), infer), list(omnibus = omnibus)
  )
}

# ---- JSON ----------------------------------------------------------------------------------------

# jsonlite stops at 15 significant digits, too few to give a double back, hence these lines.
json <- function(x, indent = "") {
  inner <- paste0(indent, " ")
  if (is.null(x)) return("null")
  if (is.matrix(x)) x <- lapply(seq_len(nrow(x)), function(i) as.list(x[i, ]))
  if (!is.list(x)) return(json_scalar(x))
  if (length(x) == 0) return("[]")
  items <- vapply(x, json, "", indent = inner)
  brackets <- c("[", "]")
  if (!is.null(names(x))) {
    items <- paste0(vapply(names(x), json_scalar, ""), ": ", items)
    brackets <- c("{", "}")
  }
  short <- sum(nchar(items)) < 80 && !any(grepl("\n", items))
  if (short) return(paste0(brackets[1], paste(items, collapse = ", "), brackets[2]))
  body <- paste0(inner, items, collapse = ",\n")
  paste0(brackets[1], "\n", body, "\n", indent, brackets[2])
}

json_scalar <- function(x) {
  stopifnot(length(x) == 1)
  if (is.character(x) && !is.na(x)) return(encodeString(x, quote = "\""))
  if (is.na(x)) return("null")
  if (is.logical(x)) return(tolower(as.character(x)))
  if (is.infinite(x)) return(if (x > 0) "\"inf\"" else "\"-inf\"")
  sprintf("%.17g", x)
}

versions <- function() {
  packages <- c(
    "lme4", "lmerTest", "pbkrtest", "emmeans", "clubSandwich", "nlme", "mlmRev", "numDeriv", "Matrix"
  )
  c(
    list(R = paste(R.version$major, R.version$minor, sep = ".")),
    setNames(lapply(packages, function(p) format(packageVersion(p))), packages)
  )
}

describe <- function(name, spec) {
  list(
    name = name, file = spec$file, md5 = unname(tools::md5sum(spec$file)),
    outcome = spec$outcome, treatment = spec$treatment, levels = as.list(spec$levels),
    group = spec$group, block = spec$block, covariates = as.list(spec$covariates),
    n_obs = nrow(DATA)
  )
}

each <- function(names, f, spec) lapply(setNames(names, names), f, spec = spec)

write_inference <- function(name) {
  spec <- DATASETS[[name]]
  if (!file.exists(spec$file)) return(message(name, ": skipped, there is no ", spec$file))
  message(name)
  assign("DATA", read_data(spec), globalenv())
  result <- list(
    dataset = describe(name, spec), versions = versions(),
    mixed = each(names(spec$models), mixed, spec),
    sandwich = if (length(spec$sandwich)) each(names(spec$sandwich), sandwich, spec),
    group_means = group_means(spec)
  )
  folder <- file.path(FOLDER, "inference")
  dir.create(folder, showWarnings = FALSE)
  connection <- file(file.path(folder, paste0(name, ".json")), open = "wb")
  on.exit(close(connection))
  writeLines(json(result), connection, sep = "\n")
}

chosen <- commandArgs(trailingOnly = TRUE)
if (identical(chosen, "data")) {
  make_data()
} else {
  if (length(chosen) == 0) chosen <- names(DATASETS)
  stopifnot(chosen %in% names(DATASETS))
  for (name in chosen) write_inference(name)
  message(paste(names(versions()), versions(), collapse = ", "))
}
