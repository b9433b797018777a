# Reference values from R, one JSON a dataset, for tests/reference.
# Run from the repository's root:
#   Rscript tests/reference/reference.R > tests/reference/reference.out 2>&1
# tests/reference/README.md says what every key holds.

suppressPackageStartupMessages({
  library(lme4)
  library(emmeans)
  library(nlme, exclude = c("lmList", "ranef", "fixef", "VarCorr"))
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # factor levels sort as bytes, as in Python
options(warn = 1, digits = 10)

FOLDER <- "tests/reference"
STAR <- "data/raw/star_kindergarten.csv"
local_csv <- function(name) file.path(FOLDER, "data", name)

# `levels`: reference first. `block`: a stratum, fixed in `ols` and `reml`, random in `reml_nested`.
DATASETS <- list(
  star_math = list(
    file = STAR, outcome = "math", treatment = "class_type",
    levels = c("regular", "small", "regular with aide"), group = "teacher", block = "school"
  ),
  star_reading = list(
    file = STAR, outcome = "reading", treatment = "class_type",
    levels = c("regular", "small", "regular with aide"), group = "teacher", block = "school"
  ),
  flipped_classroom = list(
    file = local_csv("flipped_classroom.csv"), outcome = "score", treatment = "style",
    levels = c("No flip", "Some flip", "Fully flipped"), group = "professor"
  ),
  unbalanced = list(
    file = local_csv("unbalanced.csv"), outcome = "y", treatment = "arm",
    levels = c("A", "B", "C"), group = "clinic", covariates = "x"
  ),
  boundary = list(
    file = local_csv("boundary.csv"), outcome = "y", treatment = "arm",
    levels = c("control", "treated"), group = "region"
  ),
  blocked = list(
    file = local_csv("blocked.csv"), outcome = "y", treatment = "arm",
    levels = c("usual", "new"), group = "ward", block = "site"
  )
)

THETAS <- c(0, 0.25, 0.5, 1, 2)
# (group, block)
THETAS_NESTED <- list(c(0, 0), c(0.5, 0), c(0, 0.5), c(0.5, 0.5), c(1, 0.5), c(0.5, 1))
CONTROL <- lmerControl(
  optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)
)
MAX_COEFFICIENTS <- 40

# ---- data --------------------------------------------------------------------------------------

read_data <- function(spec) {
  raw <- read.csv(spec$file, check.names = FALSE, encoding = "UTF-8")
  raw <- raw[!is.na(raw[[spec$outcome]]), ]
  data <- data.frame(
    outcome = as.numeric(raw[[spec$outcome]]),
    treatment = factor(raw[[spec$treatment]], levels = spec$levels),
    group = factor(raw[[spec$group]])
  )
  if (!is.null(spec$block)) data$block <- factor(raw[[spec$block]])
  for (name in spec$covariates) data[[name]] <- raw[[name]]
  stopifnot(!anyNA(data))
  data
}

model_formula <- function(spec, extra = NULL, block = !is.null(spec$block)) {
  reformulate(c("treatment", if (block) "block", spec$covariates, extra), response = "outcome")
}

# Names without the prefix that R pastes before a level: "small", not "treatmentsmall".
plain <- function(names) {
  names <- sub("^treatment", "", names)
  names <- sub("^group", "group=", names)
  names <- sub("^block", "block=", names)
  sub("^\\(Intercept\\)$", "intercept", names)
}

named <- function(values) setNames(as.list(unname(values)), plain(names(values)))

# ---- contrasts, tests, means: of any coefficient vector with its covariance ----------------------

# Rows: B - A for every pair of arms, the pairs with the reference first. `beta` names the columns.
contrast_matrix <- function(levels, columns) {
  pairs <- combn(length(levels), 2)
  unit <- function(i) as.numeric(columns == paste0("treatment", levels[i]))
  L <- t(apply(pairs, 2, function(p) unit(p[2]) - unit(p[1])))
  dimnames(L) <- list(apply(pairs, 2, function(p) paste(levels[p[2]], "-", levels[p[1]])), columns)
  L
}

t_rows <- function(label, key, estimate, se, df, level = 0.95) {
  t <- estimate / se
  margin <- qt(1 - (1 - level) / 2, df) * se
  lapply(seq_along(label), function(i) {
    row <- list(
      estimate = estimate[i], std_error = se[i], statistic = t[i], df = df,
      p_value = 2 * pt(-abs(t[i]), df), conf_low = estimate[i] - margin[i],
      conf_high = estimate[i] + margin[i]
    )
    c(setNames(list(label[i]), key), row)
  })
}

contrasts_of <- function(beta, vcov, levels, df) {
  L <- contrast_matrix(levels, names(beta))
  se <- sqrt(diag(L %*% vcov %*% t(L)))
  t_rows(rownames(L), "contrast", as.vector(L %*% beta), unname(se), df)
}

# The Wald test that every treatment coefficient is 0, adjusted for all other terms.
omnibus_of <- function(beta, vcov, levels, df) {
  arms <- paste0("treatment", levels[-1])
  b <- beta[arms]
  q <- length(b)
  chi2 <- as.numeric(t(b) %*% solve(vcov[arms, arms, drop = FALSE], b))
  if (is.infinite(df)) {
    p_value <- pchisq(chi2, q, lower.tail = FALSE)
    return(list(statistic = chi2, df_num = q, df_den = Inf, p_value = p_value))
  }
  list(
    statistic = chi2 / q, df_num = q, df_den = df,
    p_value = pf(chi2 / q, q, df, lower.tail = FALSE)
  )
}

means_of <- function(fit, data, ...) {
  means <- emmeans(fit, "treatment", data = data, ...)
  table <- as.data.frame(summary(means, infer = c(TRUE, FALSE)))
  low <- intersect(c("lower.CL", "asymp.LCL"), names(table))
  high <- intersect(c("upper.CL", "asymp.UCL"), names(table))
  lapply(seq_len(nrow(table)), function(i) {
    list(
      arm = as.character(table$treatment[i]), estimate = table$emmean[i], std_error = table$SE[i],
      df = table$df[i], conf_low = table[[low]][i], conf_high = table[[high]][i]
    )
  })
}

# ---- ordinary least squares ----------------------------------------------------------------------

ols <- function(spec, data) {
  fit <- lm(model_formula(spec), data)
  beta <- coef(fit)
  list(
    coefficients = named(beta), std_errors = named(sqrt(diag(vcov(fit)))), sigma = sigma(fit),
    df_residual = df.residual(fit), loglik = as.numeric(logLik(fit)),
    contrasts = contrasts_of(beta, vcov(fit), spec$levels, df.residual(fit)),
    omnibus = omnibus_of(beta, vcov(fit), spec$levels, df.residual(fit)),
    marginal_means = means_of(fit, data)
  )
}

minimum_norm <- function(X, y) {
  s <- svd(X)
  keep <- s$d > max(dim(X)) * .Machine$double.eps * s$d[1]
  b <- s$v[, keep] %*% (crossprod(s$u[, keep], y) / s$d[keep])
  setNames(as.vector(b), colnames(X))
}

aliased <- function(fit) as.list(plain(names(coef(fit))[is.na(coef(fit))]))

# lm pivots a linearly dependent column to the end: among dependent columns the later one is NA.
dummy <- function(spec, data) {
  fit <- lm(model_formula(spec, "group", block = FALSE), data)
  groups_first <- lm(reformulate(c("group", spec$covariates, "treatment"), "outcome"), data)
  X <- model.matrix(fit)
  small <- ncol(X) < MAX_COEFFICIENTS
  values <- function(b) if (small) named(b[!is.na(b)]) else NULL
  result <- list(
    n_columns = ncol(X), rank = fit$rank, aliased = aliased(fit), coefficients = values(coef(fit)),
    treatment_coefficients = named(coef(fit)[paste0("treatment", spec$levels[-1])]),
    groups_first = list(aliased = aliased(groups_first), coefficients = values(coef(groups_first))),
    minimum_norm = if (small) named(minimum_norm(X, data$outcome)) else NULL,
    sigma = sigma(fit), df_residual = df.residual(fit)
  )
  if (!is.null(spec$block)) {
    blocked <- lm(reformulate(c("treatment", "block", "group", spec$covariates), "outcome"), data)
    result$with_block <- list(
      n_columns = length(coef(blocked)), rank = blocked$rank, aliased = aliased(blocked)
    )
  }
  result
}

# The unweighted contrast of group means (at covariates 0), with the residual variance only.
dummy_nested <- function(spec, data) {
  fit <- lm(reformulate(c("0", "group", spec$covariates), response = "outcome"), data)
  groups <- data[match(levels(data$group), data$group), ]
  mu <- coef(fit)[paste0("group", levels(data$group))]
  M <- model.matrix(reformulate(c("treatment", if (!is.null(spec$block)) "block")), groups)
  A <- solve(crossprod(M), t(M))
  beta <- setNames(as.vector(A %*% mu), colnames(M))
  V <- A %*% vcov(fit)[names(mu), names(mu)] %*% t(A)
  list(
    coefficients = named(beta), std_errors = named(sqrt(diag(V))), sigma = sigma(fit),
    df_residual = df.residual(fit),
    contrasts = contrasts_of(beta, V, spec$levels, df.residual(fit)),
    omnibus = omnibus_of(beta, V, spec$levels, df.residual(fit))
  )
}

# ---- mixed models --------------------------------------------------------------------------------

fixed_effects <- function(fit, spec) {
  beta <- fixef(fit)
  V <- as.matrix(vcov(fit))
  core <- c("(Intercept)", paste0("treatment", spec$levels[-1]))
  list(
    coefficients = named(beta), std_errors = named(sqrt(diag(V))),
    vcov = list(names = as.list(plain(core)), values = unname(V[core, core]))
  )
}

sds_of <- function(fit, spec) {
  table <- as.data.frame(lme4::VarCorr(fit))
  term <- c(
    group = "sd_group", `group:block` = "sd_group", block = "sd_block", Residual = "sd_residual"
  )
  setNames(as.list(table$sdcor), term[table$grp])
}

# `blup`: conditional modes. `blup_sd`: conditional sds given theta, sigma and the fixed effects.
random_effects <- function(fit) {
  lapply(lme4::ranef(fit, condVar = TRUE), function(effects) {
    label <- sub(":.*$", "", rownames(effects)) # "ward:site" -> "ward"
    list(
      blup = setNames(as.list(effects[[1]]), label),
      blup_sd = setNames(as.list(sqrt(attr(effects, "postVar")[1, 1, ])), label)
    )
  })
}

criterion_at <- function(formula, data, thetas) {
  devfun <- lmer(formula, data, REML = TRUE, devFunOnly = TRUE)
  lapply(thetas, function(theta) list(theta = as.list(theta), reml_criterion = devfun(theta)))
}

# nlme's intervals: normal on the log scale of the sds; NULL where it gives none. At the boundary
# it would give (1e-136, 1e128), so it is not asked there.
sd_intervals <- function(spec, data) {
  tryCatch(
    {
      fit <- nlme::lme(model_formula(spec), random = ~ 1 | group, data = data, method = "REML")
      both <- nlme::intervals(fit, which = "var-cov")
      row <- function(x) list(conf_low = x[[1]], estimate = x[[2]], conf_high = x[[3]])
      list(sd_group = row(both$reStruct$group[1, ]), sd_residual = row(both$sigma))
    },
    error = function(e) {
      message("nlme intervals: ", conditionMessage(e))
      NULL
    }
  )
}

# One Newton step from lme4's optimum: with two variances its optimiser can stop 1e-5 short.
fit_lmer <- function(formula, data, REML) {
  fit <- lmer(formula, data, REML = REML, control = CONTROL)
  theta <- unname(getME(fit, "theta"))
  if (any(theta == 0)) return(list(fit = fit, theta_lme4 = theta))
  devfun <- lmer(formula, data, REML = REML, devFunOnly = TRUE)
  polished <- theta - solve(numDeriv::hessian(devfun, theta), numDeriv::grad(devfun, theta))
  control <- lmerControl(optimizer = NULL) # evaluates at `start`
  fit <- lmer(formula, data, REML = REML, start = polished, control = control)
  list(fit = fit, theta_lme4 = theta)
}

reml_fit <- function(formula, spec, data) {
  both <- fit_lmer(formula, data, REML = TRUE)
  fit <- both$fit
  beta <- fixef(fit)
  V <- as.matrix(vcov(fit))
  tables <- list(
    theta = as.list(unname(getME(fit, "theta"))), theta_lme4 = as.list(both$theta_lme4),
    reml_criterion = REMLcrit(fit), loglik = as.numeric(logLik(fit)),
    is_singular = isSingular(fit),
    contrasts = contrasts_of(beta, V, spec$levels, Inf),
    omnibus = omnibus_of(beta, V, spec$levels, Inf),
    marginal_means = means_of(fit, data, lmer.df = "asymptotic")
  )
  c(fixed_effects(fit, spec), sds_of(fit, spec), tables, list(random = random_effects(fit)))
}

reml <- function(spec, data) {
  formula <- model_formula(spec, "(1 | group)")
  result <- reml_fit(formula, spec, data)
  result$random <- result$random$group
  # single brackets: a NULL stays in the list, as null
  result["sd_intervals_nlme"] <- list(if (!result$is_singular) sd_intervals(spec, data))
  c(result, list(criterion_at = criterion_at(formula, data, THETAS)))
}

reml_nested <- function(spec, data) {
  if (is.null(spec$block)) return(NULL)
  formula <- model_formula(spec, "(1 | block / group)", block = FALSE)
  result <- reml_fit(formula, spec, data)
  names(result$random) <- sub("^group:block$", "group", names(result$random))
  c(result, list(criterion_at = criterion_at(formula, data, THETAS_NESTED)))
}

ml <- function(spec, data) {
  fit <- fit_lmer(model_formula(spec, "(1 | group)"), data, REML = FALSE)$fit
  c(
    list(coefficients = named(fixef(fit)), std_errors = named(sqrt(diag(as.matrix(vcov(fit)))))),
    sds_of(fit, spec), list(theta = getME(fit, "theta")[[1]], loglik = as.numeric(logLik(fit)))
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
  if (is.character(x)) return(encodeString(x, quote = "\""))
  if (is.na(x)) return("null")
  if (is.logical(x)) return(tolower(as.character(x)))
  if (is.infinite(x)) return("\"inf\"")
  sprintf("%.17g", x)
}

versions <- function() {
  packages <- c("lme4", "nlme", "emmeans", "numDeriv", "Matrix", "nloptr")
  c(
    list(R = paste(R.version$major, R.version$minor, sep = ".")),
    setNames(lapply(packages, function(p) format(packageVersion(p))), packages)
  )
}

describe <- function(name, spec, data) {
  list(
    name = name, file = spec$file, md5 = unname(tools::md5sum(spec$file)),
    outcome = spec$outcome, treatment = spec$treatment,
    levels = as.list(spec$levels), group = spec$group, block = spec$block,
    covariates = as.list(spec$covariates), n_obs = nrow(data), n_groups = nlevels(data$group),
    n_blocks = if (is.null(data$block)) 0 else nlevels(data$block)
  )
}

write_reference <- function(name) {
  spec <- DATASETS[[name]]
  if (!file.exists(spec$file)) return(message(name, ": skipped, there is no ", spec$file))
  message(name)
  data <- read_data(spec)
  result <- list(
    dataset = describe(name, spec, data), versions = versions(), ols = ols(spec, data),
    dummy = dummy(spec, data), dummy_nested = dummy_nested(spec, data), reml = reml(spec, data),
    reml_nested = reml_nested(spec, data), ml = ml(spec, data)
  )
  connection <- file(file.path(FOLDER, paste0(name, ".json")), open = "wb")
  on.exit(close(connection))
  writeLines(json(result), connection, sep = "\n")
}

for (name in names(DATASETS)) write_reference(name)
message(paste(names(versions()), versions(), collapse = ", "))
