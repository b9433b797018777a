# Reference values for designs in which the treatment goes with time, in periods.json beside this file.
# Run from the repository's root; names of datasets limit the run (and then nothing is written):
#   Rscript tests/reference/periods/periods.R [names...] > tests/reference/periods/periods.out 2>&1
#
# Definitions. n rows, p columns of X, J clusters. In formulas `cluster` is the patient in crossover.
#   mixed         lme4's optimum plus Newton steps in the thetas that are not 0. Satterthwaite: lmerTest.
#                 Kenward-Roger: pbkrtest (vcovAdj, Lb_ddf, KRmodcomp); its W has every variance, also one
#                 that is 0. `held`: the same after the terms with variance 0 are left out.
#   criterion     -2 restricted log-likelihood: (n - p) log 2 pi + log|V| + log|X'V^-1 X| + r'V^-1 r.
#   ols           clubSandwich on lm, scores X_g' A_g e_g:
#                 CR1: A = sqrt(J / (J - 1)) I;
#                 CR1S: A = sqrt(J (n - 1) / ((J - 1) (n - p))) I (Stata's);
#                 CR2: A = B^(+1/2), B = (I - H)_gg under an identity target, symmetric root;
#                 CR3: A = (I - H_gg)^-1 (no (J - 1)/J factor).
#                 df: Satterthwaite (Bell-McCaffrey) under the identity target, for each type.
#   decay         V = s_u^2 same_cluster r^|t - s| [+ s_p^2 same_person] + s_e^2 I; t, s: positions of the
#                 periods. Parameters: (s_u^2, r, [s_p^2,] s_e^2). Phi = (X'V^-1 X)^-1, V_i, V_ij: first
#                 and second derivatives; P_i = -X'V^-1 V_i V^-1 X, Q_ij = X'V^-1 V_i V^-1 V_j V^-1 X,
#                 R_ij = X'V^-1 V_ij V^-1 X, W = inverse of the expected restricted information.
#                 kr_se: Phi + 2 Phi {sum W_ij (Q_ij - P_i Phi P_j - R_ij / 4)} Phi;
#                 kr_se_first_order: without R_ij. kr_df: Lb_ddf, the same for both.
#                 satterthwaite_df: with the inverse of the observed restricted information of the
#                 parameters inside the space; one on its boundary (`boundary`) is held.
#                 kr_*: W of all parameters; `held`: W of those inside the space. Null where singular.
#   permutation   see `permutation` below; ties within 1e-9 relative count as equal.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
  library(clubSandwich)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # factor levels sort as bytes, as in Python
options(warn = 1, digits = 10)

FOLDER <- "tests/reference/periods"
TIGHT <- lmerControl(
  optimizer = "nloptwrap", calc.derivs = FALSE,
  optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)
)
AT_START <- lmerControl(optimizer = NULL, calc.derivs = FALSE) # evaluates at `start`
CR_TYPES <- c("CR1", "CR1S", "CR2", "CR3")

two <- c("control", "treatment")
three <- c("A", "B", "C")
DATASETS <- list(
  sw_complete = list(levels = two, wedge = TRUE),
  sw_incomplete = list(levels = two, wedge = TRUE, x = "x"),
  sw_open_cohort = list(levels = two, wedge = TRUE, person = "person"),
  crxo = list(levels = two, permute = TRUE),
  crxo3 = list(levels = three),
  baseline = list(levels = two, person = "person", permute = TRUE),
  crossover = list(levels = three, cluster = "patient"),
  boundary = list(levels = two),
  stepped_wedge_null = list(levels = c("0", "1"), wedge = TRUE, arm = "intervention")
)

# ---- data ----------------------------------------------------------------------------------------

describe <- function(name, spec) {
  role <- function(key) if (is.null(spec[[key]])) key else spec[[key]]
  file <- file.path(FOLDER, "data", paste0(name, ".csv"))
  list(
    name = name, file = file, md5 = unname(tools::md5sum(file)), outcome = "y", arm = role("arm"),
    levels = as.list(spec$levels), cluster = role("cluster"), period = "period",
    person = spec$person, covariate = spec$x
  )
}

# Columns under one name each: y, arm, period, cluster, cell, and person, x where they are.
read_data <- function(about) {
  raw <- read.csv(about$file, check.names = FALSE)
  table <- data.frame(
    y = as.numeric(raw[[about$outcome]]),
    arm = factor(as.character(raw[[about$arm]]), levels = unlist(about$levels)),
    period = factor(raw[[about$period]]), # sorted as numbers
    cluster = factor(raw[[about$cluster]])
  )
  table$position <- as.integer(table$period)
  table$cell <- factor(paste(table$cluster, table$period, sep = ":"))
  if (!is.null(about$person)) table$person <- factor(raw[[about$person]])
  if (!is.null(about$covariate)) table$x <- raw[[about$covariate]]
  stopifnot(!anyNA(table))
  table
}

fixed_terms <- function(about) c("arm", "factor(period)", if (!is.null(about$covariate)) "x")

random_terms <- function(about) {
  c(
    "(1 | cluster)", if (anyDuplicated(DATA$cell)) "(1 | cluster:period)",
    if (!is.null(about$person)) "(1 | person)"
  )
}

formula_of <- function(terms, response = "y") reformulate(terms, response, env = globalenv())

text_of <- function(formula) paste(deparse(formula, width.cutoff = 500), collapse = "")

# ---- contrasts -----------------------------------------------------------------------------------

# Rows: later minus earlier, for every pair of arms.
contrast_matrix <- function(levels, columns) {
  pairs <- combn(length(levels), 2)
  unit <- function(i) as.numeric(columns == paste0("arm", levels[i]))
  L <- t(apply(pairs, 2, function(p) unit(p[2]) - unit(p[1])))
  labels <- apply(pairs, 2, function(p) paste(levels[p[2]], "-", levels[p[1]]))
  dimnames(L) <- list(labels, columns)
  L
}

omnibus_matrix <- function(levels, columns) {
  L <- outer(paste0("arm", levels[-1]), columns, "==") * 1
  dimnames(L) <- list(levels[-1], columns)
  L
}

# "period=2", "treatment", "cluster=c02", "intercept"
plain <- function(names) {
  names <- sub("^factor\\((period|cluster)\\)", "\\1=", names)
  names <- sub("^arm", "", names)
  sub("^\\(Intercept\\)$", "intercept", names)
}

named <- function(values) setNames(as.list(unname(values)), plain(names(values)))

two_sided <- function(t, df) 2 * pt(-abs(t), df)

quadratic <- function(L, V) unname(rowSums((L %*% as.matrix(V)) * L))

each_row <- function(L, f) lapply(setNames(seq_len(nrow(L)), rownames(L)), function(i) f(L[i, ], i))

attempt <- function(expression, what) {
  tryCatch(expression, error = function(e) {
    message(what, ": ", conditionMessage(e))
    list(note = conditionMessage(e))
  })
}

# ---- mixed models --------------------------------------------------------------------------------

# DATA is global so that update(), which lmerTest calls, finds it.
lmer_call <- function(formula, ...) {
  environment(formula) <- globalenv()
  eval(as.call(c(list(quote(lme4::lmer), formula, data = quote(DATA)), list(...))), globalenv())
}

fit_lmer <- function(formula, REML = TRUE) {
  rough <- suppressMessages(lmer_call(formula, REML = REML, control = quote(TIGHT)))
  devfun <- lmer_call(formula, REML = REML, devFunOnly = TRUE)
  theta <- unname(getME(rough, "theta"))
  # a theta next to 0 that is no worse at 0 is 0
  for (k in which(theta > 0 & theta < 1e-3)) {
    if (devfun(replace(theta, k, 0)) <= devfun(theta) + 1e-9) theta[k] <- 0
  }
  free <- which(theta != 0)
  objective <- function(x) devfun(replace(theta, free, x))
  polished <- theta
  gradient <- numeric(0)
  if (length(free) > 0) {
    for (step in 1:3) {
      x <- polished[free]
      move <- solve(numDeriv::hessian(objective, x), numDeriv::grad(objective, x))
      polished <- replace(theta, free, x - move)
    }
    gradient <- numDeriv::grad(objective, polished[free])
    moved <- max(abs(polished - theta))
    if (moved > 1e-3) message("  polish moved theta by ", moved)
  }
  if (any(abs(gradient) > 1e-5)) message("  gradient ", max(abs(gradient)), ": ", text_of(formula))
  fit <- suppressMessages(
    lmer_call(formula, REML = REML, start = polished, control = quote(AT_START))
  )
  list(fit = fit, gradient = gradient)
}

# pbkrtest must have rebuilt the covariance that lme4 fitted; it has been wrong for some formulas.
check_sigma <- function(fit) {
  A <- getME(fit, "Lambdat") %*% getME(fit, "Zt")
  V <- sigma(fit)^2 * (Matrix::crossprod(A) + Matrix::Diagonal(ncol(A)))
  error <- max(abs(pbkrtest::get_SigmaG(fit)$Sigma - V)) / max(abs(V))
  if (error > 1e-12) message("  pbkrtest: Sigma differs from lme4's by ", error)
}

kenward_roger <- function(fit) {
  check_sigma(fit)
  V0 <- vcov(fit)
  V <- vcovAdj(fit)
  list(
    row = function(l) {
      estimate <- sum(l * fixef(fit))
      se <- sqrt(quadratic(rbind(l), V))
      df <- Lb_ddf(l, V0, V)
      list(std_error = se, df = df, statistic = estimate / se, p_value = two_sided(estimate / se, df))
    },
    omnibus = function(L) {
      s <- KRmodcomp(fit, unname(L))$stats
      list(
        statistic = s$Fstat, df_num = s$ndf, df_den = s$ddf, p_value = s$p.value,
        f_scaling = s$F.scaling, statistic_unscaled = s$FstatU
      )
    }
  )
}

sds_of <- function(fit) {
  table <- as.data.frame(lme4::VarCorr(fit))
  table$grp <- sub("period:cluster", "cluster:period", table$grp)
  setNames(as.list(table$sdcor), table$grp)
}

restricted_summary <- function(both) {
  fit <- both$fit
  list(
    sds = sds_of(fit), singular = isSingular(fit), gradient = as.list(both$gradient),
    reml_criterion = REMLcrit(fit), loglik = c(logLik(fit)), fixef = named(fixef(fit)),
    std_errors = named(sqrt(diag(as.matrix(vcov(fit)))))
  )
}

# Satterthwaite and Kenward-Roger of the contrasts and of all arms.
small_sample <- function(fit, L, all) {
  model <- suppressMessages(as_lmerModLmerTest(fit))
  kr <- kenward_roger(fit)
  md <- contestMD(model, unname(all))
  list(
    contrasts = each_row(L, function(l, i) {
      row <- contest1D(model, unname(l))
      list(
        satterthwaite = list(df = row$df, p_value = row[["Pr(>|t|)"]]),
        kenward_roger = kr$row(l)
      )
    }),
    omnibus = list(
      satterthwaite = list(
        statistic = md[["F value"]], df_num = md$NumDF, df_den = md$DenDF, p_value = md[["Pr(>F)"]]
      ),
      kenward_roger = kr$omnibus(all)
    )
  )
}

# ML likelihood ratio of one pair: both arms merged into one level; with two arms, no arm at all.
likelihood_ratio <- function(about) {
  levels <- unlist(about$levels)
  full <- fit_lmer(formula_of(c(fixed_terms(about), random_terms(about))), REML = FALSE)$fit
  pairs <- combn(length(levels), 2)
  keep <- DATA
  on.exit(assign("DATA", keep, globalenv()))
  rows <- lapply(seq_len(ncol(pairs)), function(k) {
    p <- pairs[, k]
    merged <- keep
    merged$arm <- as.character(merged$arm)
    merged$arm[merged$arm == levels[p[2]]] <- levels[p[1]]
    assign("DATA", merged, globalenv())
    terms <- c(fixed_terms(about), random_terms(about))
    if (length(levels) == 2) terms <- setdiff(terms, "arm")
    null <- fit_lmer(formula_of(terms), REML = FALSE)$fit
    statistic <- 2 * (c(logLik(full)) - c(logLik(null)))
    list(
      statistic = statistic, df = 1, p_value = pchisq(statistic, 1, lower.tail = FALSE),
      loglik_null = c(logLik(null)), sds_null = sds_of(null)
    )
  })
  labels <- apply(pairs, 2, function(p) paste(levels[p[2]], "-", levels[p[1]]))
  list(loglik = c(logLik(full)), sds = sds_of(full), rows = setNames(rows, labels))
}

mixed <- function(about) {
  formula <- formula_of(c(fixed_terms(about), random_terms(about)))
  both <- fit_lmer(formula)
  fit <- both$fit
  columns <- names(fixef(fit))
  levels <- unlist(about$levels)
  L <- contrast_matrix(levels, columns)
  all <- omnibus_matrix(levels, columns)
  small <- small_sample(fit, L, all)
  lrt <- likelihood_ratio(about)
  contrasts <- each_row(L, function(l, i) {
    estimate <- sum(l * fixef(fit))
    se <- sqrt(quadratic(rbind(l), vcov(fit)))
    z <- estimate / se
    c(
      list(estimate = estimate, std_error = se, z = z, p_value = 2 * pnorm(-abs(z))),
      small$contrasts[[i]], list(lrt = lrt$rows[[i]])
    )
  })
  zero <- unlist(lapply(lme4::VarCorr(fit), function(v) v[1, 1])) == 0
  held <- NULL
  if (any(zero)) {
    names(zero) <- sub("period:cluster", "cluster:period", names(zero))
    left <- setdiff(random_terms(about), paste0("(1 | ", names(zero)[zero], ")"))
    message("  variance 0: ", paste(names(zero)[zero], collapse = ", "))
    if (length(left) > 0) {
      held <- c(
        list(left_out = as.list(names(zero)[zero])),
        small_sample(fit_lmer(formula_of(c(fixed_terms(about), left)))$fit, L, all)
      )
    }
  }
  c(
    list(formula = text_of(formula)), restricted_summary(both),
    list(
      contrasts = contrasts, omnibus = small$omnibus, held = held,
      ml = lrt[c("loglik", "sds")]
    )
  )
}

no_periods <- function(about) {
  formula <- formula_of(c(setdiff(fixed_terms(about), "factor(period)"), "(1 | cluster)"))
  both <- fit_lmer(formula)
  fit <- both$fit
  kr <- kenward_roger(fit)
  L <- contrast_matrix(unlist(about$levels), names(fixef(fit)))
  c(
    list(formula = text_of(formula)), restricted_summary(both),
    list(contrasts = each_row(L, function(l, i) {
      list(
        estimate = sum(l * fixef(fit)), std_error = sqrt(quadratic(rbind(l), vcov(fit))),
        kenward_roger = kr$row(l)
      )
    }))
  )
}

# ---- exposure time -------------------------------------------------------------------------------

# 0 in control; 1 in the cluster's first treated period, 2 one position later, and so on.
exposure_times <- function(about) {
  treated <- DATA$arm == about$levels[[2]]
  first <- tapply(ifelse(treated, DATA$position, NA), DATA$cluster, function(x) {
    if (all(is.na(x))) NA else min(x, na.rm = TRUE)
  })[as.character(DATA$cluster)]
  ifelse(treated, DATA$position - first + 1, 0)
}

exposure <- function(about) {
  DATA$exposure <<- factor(exposure_times(about))
  terms <- c("exposure", setdiff(fixed_terms(about), "arm"), random_terms(about))
  formula <- formula_of(terms)
  both <- fit_lmer(formula)
  fit <- both$fit
  columns <- names(fixef(fit))
  times <- levels(DATA$exposure)[-1]
  unit <- outer(paste0("exposure", times), columns, "==") * 1
  rownames(unit) <- times
  L <- rbind(unit, average = colMeans(unit))
  equal <- unit[-1, , drop = FALSE] - unit[rep(1, length(times) - 1), , drop = FALSE]
  kr <- kenward_roger(fit)
  cells <- DATA[!duplicated(DATA$cell), ]
  c(
    list(formula = text_of(formula), cells = as.list(table(cells$exposure))),
    restricted_summary(both),
    list(
      effects = each_row(L, function(l, i) {
        list(
          estimate = sum(l * fixef(fit)), std_error = sqrt(quadratic(rbind(l), vcov(fit))),
          kenward_roger = kr$row(l)
        )
      }),
      all_equal = kr$omnibus(equal)
    )
  )
}

# ---- least squares -------------------------------------------------------------------------------

classical <- function(fit, levels) {
  stopifnot(!anyNA(coef(fit)))
  L <- contrast_matrix(levels, names(coef(fit)))
  all <- omnibus_matrix(levels, names(coef(fit)))
  df <- fit$df.residual
  b <- all %*% coef(fit)
  f <- c(t(b) %*% solve(all %*% vcov(fit) %*% t(all), b)) / nrow(all)
  list(
    n_obs = nobs(fit), rank = fit$rank, df_residual = df, sigma = sigma(fit),
    contrasts = each_row(L, function(l, i) {
      estimate <- sum(l * coef(fit))
      se <- sqrt(quadratic(rbind(l), vcov(fit)))
      list(
        estimate = estimate, std_error = se, df = df, statistic = estimate / se,
        p_value = two_sided(estimate / se, df)
      )
    }),
    omnibus = list(
      statistic = f, df_num = nrow(all), df_den = df,
      p_value = pf(f, nrow(all), df, lower.tail = FALSE)
    )
  )
}

# Smallest eigenvalue of I - H_gg over clusters; solve() in clubSandwich's CR3 may not notice a 0.
stop_if_singular <- function(fit, cluster) {
  Q <- qr.Q(qr(model.matrix(fit)))
  least <- min(vapply(split(seq_along(cluster), cluster), function(rows) {
    1 - max(svd(Q[rows, , drop = FALSE], nu = 0, nv = 0)$d)^2
  }, 1))
  if (least < 1e-10) stop("I - H_gg is singular, least eigenvalue ", format(least, digits = 1))
}

sandwich <- function(fit, type, levels) {
  if (type == "CR3") stop_if_singular(fit, DATA$cluster)
  V <- vcovCR(fit, cluster = DATA$cluster, type = type)
  L <- contrast_matrix(levels, names(coef(fit)))
  rows <- linear_contrast(fit, V, contrasts = L, test = "Satterthwaite", p_values = TRUE)
  result <- list(contrasts = each_row(L, function(l, i) {
    list(
      std_error = rows$SE[i], df = rows$df[i], statistic = rows$Est[i] / rows$SE[i],
      p_value = rows$p_val[i]
    )
  }))
  if (length(levels) > 2) {
    all <- omnibus_matrix(levels, names(coef(fit)))
    w <- Wald_test(fit, constraints = all, vcov = V, test = "HTZ")
    result$omnibus_htz <- list(
      statistic = w$Fstat, delta = w$delta, df_num = w$df_num, df_den = w$df_denom,
      p_value = w$p_val
    )
  }
  result
}

ols <- function(about) {
  levels <- unlist(about$levels)
  formula <- formula_of(fixed_terms(about))
  fit <- lm(formula, DATA)
  c(
    list(formula = text_of(formula)), classical(fit, levels),
    lapply(setNames(CR_TYPES, CR_TYPES), function(type) attempt(sandwich(fit, type, levels), type))
  )
}

dummy <- function(about) {
  formula <- formula_of(c(fixed_terms(about), "factor(cluster)"))
  c(list(formula = text_of(formula)), classical(lm(formula, DATA), unlist(about$levels)))
}

# One row a cell that has rows, in the order of clusters, then periods.
cells_of <- function() {
  cells <- DATA[!duplicated(DATA$cell), ]
  cells$y <- as.vector(tapply(DATA$y, DATA$cell, mean)[as.character(cells$cell)])
  if (!is.null(DATA$x)) {
    cells$x <- as.vector(tapply(DATA$x, DATA$cell, mean)[as.character(cells$cell)])
  }
  stopifnot(nrow(unique(DATA[c("cell", "arm")])) == nrow(cells)) # one arm a cell
  cells[order(cells$cluster, cells$period), ]
}

cell_means <- function(about) {
  formula <- formula_of(c(fixed_terms(about), "factor(cluster)"))
  c(list(formula = text_of(formula)), classical(lm(formula, cells_of()), unlist(about$levels)))
}

# ---- decay ---------------------------------------------------------------------------------------

# Everything of one dense V = s_u^2 same_cluster r^|t - s| [+ s_p^2 same_person] + s_e^2 I.
# Parameters in the order s_u2, r, [s_p2,] s_e2.
decay_model <- function(about) {
  X <- model.matrix(formula_of(fixed_terms(about)), DATA)
  y <- DATA$y
  n <- nrow(X)
  same <- outer(DATA$cluster, DATA$cluster, "==") * 1
  lag <- abs(outer(DATA$position, DATA$position, "-"))
  person <- if (!is.null(about$person)) outer(DATA$person, DATA$person, "==") * 1
  I <- diag(n)
  names <- c("s_u2", "r", if (!is.null(person)) "s_p2", "s_e2")
  # k-th derivative of r^lag
  power <- function(r, k = 0) {
    factor <- if (k == 0) 1 else if (k == 1) lag else lag * (lag - 1)
    same * factor * r^pmax(lag - k, 0)
  }
  V <- function(par) {
    par <- setNames(par, names)
    S <- par[["s_u2"]] * power(par[["r"]]) + par[["s_e2"]] * I
    if (is.null(person)) S else S + par[["s_p2"]] * person
  }
  first <- function(par) {
    par <- setNames(par, names)
    slope <- par[["s_u2"]] * power(par[["r"]], 1)
    D <- list(s_u2 = power(par[["r"]]), r = slope, s_p2 = person, s_e2 = I)
    D[names]
  }
  # only (s_u2, r) and (r, r) are not 0
  second <- function(par, i, j) {
    par <- setNames(par, names)
    pair <- paste(sort(c(names[i], names[j])), collapse = " ")
    if (pair == "r s_u2") power(par[["r"]], 1)
    else if (pair == "r r") par[["s_u2"]] * power(par[["r"]], 2)
  }
  parts <- function(par) {
    S <- V(par)
    R <- chol(S)
    Vi <- chol2inv(R)
    ViX <- Vi %*% X
    A <- crossprod(X, ViX)
    Phi <- chol2inv(chol(A))
    dimnames(Phi) <- list(colnames(X), colnames(X))
    beta <- drop(Phi %*% crossprod(ViX, y))
    e <- y - drop(X %*% beta)
    criterion <- (n - ncol(X)) * log(2 * pi) + 2 * sum(log(diag(R))) +
      c(determinant(A)$modulus) + sum(e * (Vi %*% e))
    list(Vi = Vi, ViX = ViX, Phi = Phi, beta = beta, e = e, criterion = criterion)
  }
  derivatives <- function(par, hessian = FALSE) {
    p <- parts(par)
    D <- first(par)
    P <- p$Vi - p$ViX %*% p$Phi %*% t(p$ViX)
    Py <- drop(p$Vi %*% p$e)
    gradient <- vapply(D, function(d) sum(P * d) - sum(Py * (d %*% Py)), 1)
    result <- list(criterion = p$criterion, gradient = gradient)
    if (hessian) {
      k <- length(D)
      PD <- lapply(D, function(d) P %*% d)
      H <- matrix(0, k, k, dimnames = list(names, names))
      for (i in 1:k) for (j in i:k) {
        d2 <- second(par, i, j)
        value <- -sum(PD[[i]] * t(PD[[j]])) + 2 * sum((D[[i]] %*% Py) * (P %*% (D[[j]] %*% Py)))
        if (!is.null(d2)) value <- value + sum(P * d2) - sum(Py * (d2 %*% Py))
        H[i, j] <- H[j, i] <- value
      }
      result$hessian <- H
    }
    result
  }
  list(
    X = X, y = y, names = names, V = V, first = first, second = second, parts = parts,
    derivatives = derivatives
  )
}

# nlminb in (s_u, r, [s_p,] s_e), then Newton in the parameters that are inside the space.
maximise_decay <- function(model, hold_r = NULL, starts = c(0.5, 0.9, 0.1)) {
  names <- model$names
  sd <- names != "r"
  to_par <- function(x) ifelse(sd, x^2, x)
  total <- summary(lm(model$y ~ model$X - 1))$sigma
  upper <- ifelse(sd, Inf, 1)
  lower <- ifelse(names == "s_e2", 1e-3 * total, 0)
  if (!is.null(hold_r)) lower[!sd] <- upper[!sd] <- hold_r
  best <- NULL
  if (!is.null(hold_r)) starts <- hold_r
  criteria <- c()
  for (r in starts) {
    x <- ifelse(names == "r", r, total / sqrt(sum(sd)))
    for (round in 1:2) {
      out <- nlminb(
        x, function(x) model$parts(to_par(x))$criterion,
        function(x) unname(model$derivatives(to_par(x))$gradient * ifelse(sd, 2 * x, 1)),
        lower = lower, upper = upper, scale = ifelse(sd, 1 / total, 1),
        control = list(rel.tol = 1e-14, x.tol = 1e-10, iter.max = 200)
      )
      x <- out$par
    }
    criteria <- c(criteria, out$objective)
    if (is.null(best) || out$objective < best$objective - 1e-10) best <- out
  }
  x <- best$par
  par <- setNames(to_par(x), names)
  edge <- setNames(rep(FALSE, length(par)), names)
  for (k in seq_along(par)) {
    for (at in if (sd[k]) 0 else c(0, 1)) {
      if (abs(x[k] - at) < 1e-3 * if (sd[k]) total else 1) {
        moved <- replace(par, k, at)
        if (model$parts(moved)$criterion <= best$objective + 1e-9) {
          par <- moved
          edge[k] <- TRUE
        }
      }
    }
  }
  if (!is.null(hold_r)) edge["r"] <- TRUE
  if (par[["s_u2"]] == 0) edge["r"] <- TRUE # r is not identified
  inside <- which(!edge)
  for (step in 1:6) {
    d <- model$derivatives(par, hessian = TRUE)
    move <- solve(d$hessian[inside, inside, drop = FALSE], d$gradient[inside])
    par[inside] <- par[inside] - move
    if (max(abs(move / par[inside])) < 1e-12) break
  }
  d <- model$derivatives(par, hessian = TRUE)
  stopifnot(par[["r"]] >= 0, par[["r"]] <= 1, min(par[sd]) >= 0)
  stopifnot(eigen(d$hessian[inside, inside, drop = FALSE], TRUE, TRUE)$values > 0)
  if (is.null(hold_r)) {
    low <- edge & par == 0
    stopifnot(all(d$gradient[low & names != "r"] >= -1e-8))
    if (edge["r"] && par[["s_u2"]] > 0) {
      stopifnot(d$gradient[["r"]] * ifelse(par[["r"]] == 1, -1, 1) >= -1e-8)
    }
    message(
      "  decay: criteria of the starts ", paste(sprintf("%.9f", criteria), collapse = " "),
      "; after Newton ", sprintf("%.9f", d$criterion),
      "; largest gradient inside ", format(max(abs(d$gradient[inside])), digits = 2)
    )
  }
  list(par = par, edge = edge, inside = inside, hessian = d$hessian, gradient = d$gradient)
}

# Kenward and Roger (1997) with the parameters `use`; R_ij = 0 with `second = NULL`.
kr_covariance <- function(p, X, D, second = NULL) {
  k <- length(D)
  Phi <- p$Phi
  HD <- lapply(D, function(d) p$Vi %*% d)
  DX <- lapply(D, function(d) d %*% p$ViX)
  P <- lapply(DX, function(d) -crossprod(p$ViX, d))
  Q <- function(i, j) crossprod(DX[[i]], p$Vi %*% DX[[j]])
  info <- matrix(0, k, k)
  for (i in 1:k) for (j in i:k) {
    value <- sum(HD[[i]] * t(HD[[j]])) - 2 * sum(Phi * t(Q(i, j))) +
      sum((Phi %*% P[[i]]) * t(Phi %*% P[[j]]))
    info[i, j] <- info[j, i] <- value / 2
  }
  scaled <- cov2cor(info + diag(1e-300, k))
  if (any(diag(info) < 1e-14) || rcond(scaled) < 1e-12) return(NULL)
  W <- solve(info)
  U <- matrix(0, ncol(X), ncol(X))
  curve <- U
  for (i in 1:k) for (j in 1:k) {
    U <- U + W[i, j] * (Q(i, j) - P[[i]] %*% Phi %*% P[[j]])
    d2 <- if (!is.null(second)) second(i, j)
    if (!is.null(d2)) curve <- curve + W[i, j] * crossprod(p$ViX, d2 %*% p$ViX) / 4
  }
  adjusted <- function(U) {
    A <- Phi + 2 * Phi %*% U %*% Phi
    attr(A, "P") <- P
    attr(A, "W") <- W
    A
  }
  list(full = adjusted(U - curve), first_order = adjusted(U), W = W, P = P)
}

kr_rows <- function(kr, p, L, levels) {
  if (is.null(kr)) return(NULL)
  all <- omnibus_matrix(levels, colnames(p$Phi))
  f <- function(A) {
    s <- pbkrtest:::.KR_adjust(A, p$Phi, all, p$beta, 0)
    list(
      statistic = s$Fstat, df_num = s$ndf, df_den = s$ddf, p_value = s$p.value,
      f_scaling = s$F.scaling, statistic_unscaled = s$FstatU
    )
  }
  list(
    contrasts = each_row(L, function(l, i) {
      df <- Lb_ddf(l, p$Phi, kr$full)
      g <- vapply(kr$P, function(P) sum(l * (p$Phi %*% P %*% p$Phi %*% l)), 1)
      other <- 2 * sum(l * (p$Phi %*% l))^2 / c(g %*% kr$W %*% g)
      if (abs(other / df - 1) > 1e-8) message("  Lb_ddf ", df, " differs from ", other)
      list(
        kr_se = sqrt(quadratic(rbind(l), kr$full)),
        kr_se_first_order = sqrt(quadratic(rbind(l), kr$first_order)), kr_df = df
      )
    }),
    omnibus = if (length(levels) > 2) list(kr = f(kr$full), kr_first_order = f(kr$first_order))
  )
}

decay <- function(about, mixed_criterion) {
  model <- decay_model(about)
  levels <- unlist(about$levels)
  fit <- maximise_decay(model, starts = if (nrow(DATA) > 500) 0.7 else c(0.5, 0.9, 0.1))
  par <- fit$par
  inside <- fit$inside
  p <- model$parts(par)
  D <- model$first(par)
  L <- contrast_matrix(levels, colnames(model$X))

  kr <- kr_covariance(p, model$X, D, function(i, j) model$second(par, i, j))
  main <- kr_rows(kr, p, L, levels)
  held <- if (any(fit$edge)) {
    kr_rows(
      kr_covariance(p, model$X, D[inside], function(i, j) model$second(par, inside[i], inside[j])),
      p, L, levels
    )
  }
  A <- 2 * solve(fit$hessian[inside, inside, drop = FALSE])
  contrasts <- each_row(L, function(l, i) {
    v <- sum(l * (p$Phi %*% l))
    w <- p$ViX %*% p$Phi %*% l
    g <- vapply(D[inside], function(d) sum(w * (d %*% w)), 1)
    estimate <- sum(l * p$beta)
    c(
      list(
        estimate = estimate, std_error = sqrt(v), satterthwaite_df = 2 * v^2 / c(g %*% A %*% g)
      ),
      if (is.null(main)) list(kr_se = NULL, kr_se_first_order = NULL, kr_df = NULL)
      else main$contrasts[[i]],
      if (!is.null(held)) list(held = held$contrasts[[i]])
    )
  })

  checks <- decay_checks(about, model, fit, mixed_criterion)
  sds <- sqrt(par[names(par) != "r"])
  names(sds) <- sub("2$", "", names(sds))
  list(
    formula = text_of(formula_of(fixed_terms(about))),
    s_u = sds[["s_u"]], r = par[["r"]], s_p = if ("s_p" %in% names(sds)) sds[["s_p"]],
    s_e = sds[["s_e"]], boundary = as.list(names(par)[fit$edge]), reml_criterion = p$criterion,
    gradient = as.list(fit$gradient),
    hessian = list(names = as.list(names(par)), values = unname(fit$hessian)),
    fixef = named(p$beta), contrasts = contrasts, omnibus = main$omnibus,
    omnibus_held = held$omnibus, checks = checks
  )
}

decay_checks <- function(about, model, fit, mixed_criterion) {
  checks <- list()
  # (i) r held at 1 is (1 | cluster) [+ (1 | person)]
  terms <- setdiff(random_terms(about), "(1 | cluster:period)")
  plain_fit <- fit_lmer(formula_of(c(fixed_terms(about), terms)))$fit
  one <- maximise_decay(model, hold_r = 1)
  p <- model$parts(one$par)
  kr <- kr_covariance(p, model$X, model$first(one$par)[setdiff(model$names, "r")])
  l <- contrast_matrix(unlist(about$levels), colnames(model$X))[1, ]
  theirs <- kenward_roger(plain_fit)$row(l)
  checks$r_1 <- list(
    criterion = p$criterion, lmer = REMLcrit(plain_fit),
    difference = p$criterion - REMLcrit(plain_fit),
    estimate_difference = sum(l * p$beta) - sum(l * fixef(plain_fit)),
    kr_se_difference = if (!is.null(kr)) sqrt(quadratic(rbind(l), kr$first_order)) - theirs$std_error,
    kr_df_ratio = if (!is.null(kr)) Lb_ddf(l, p$Phi, kr$full) / theirs$df
  )
  # (ii) with two periods s_u^2 r and s_u^2 (1 - r) are the variances of (1 | cluster), (1 | cluster:period)
  if (max(DATA$position) == 2) {
    checks$two_periods <- list(
      mixed = mixed_criterion, difference = model$parts(fit$par)$criterion - mixed_criterion
    )
  }
  # (iii) the analytic derivatives against numDeriv
  if (nrow(DATA) <= 400) {
    at <- fit$par
    at["r"] <- min(max(at["r"], 0.2), 0.8)
    at["s_u2"] <- max(at["s_u2"], 0.5)
    f <- function(par) model$parts(par)$criterion
    exact <- model$derivatives(at, hessian = TRUE)
    H <- numDeriv::hessian(f, at)
    checks$derivatives <- list(
      gradient = max(abs(numDeriv::grad(f, at) - exact$gradient)),
      hessian = max(abs(H - exact$hessian)) / max(abs(H))
    )
  }
  flat <- unlist(checks)
  message("  checks: ", paste(names(flat), sprintf("%.3g", flat), collapse = "; "))
  checks
}

# Generalised least squares of nlme with one row a cell: (1 - nugget) exp(-|t - s| / range).
nlme_gls <- function(about, found) {
  formula <- formula_of(fixed_terms(about))
  run <- function(value, fixed) {
    nlme::gls(
      formula, DATA,
      correlation = nlme::corExp(value, form = ~ position | cluster, nugget = TRUE, fixed = fixed),
      method = "REML",
      control = nlme::glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 500)
    )
  }
  total <- found$s_u^2 + found$s_e^2
  show <- function(fit) {
    L <- contrast_matrix(unlist(about$levels), names(coef(fit)))
    value <- coef(fit$modelStruct$corStruct, unconstrained = FALSE)
    list(
      range = value[[1]], nugget = value[[2]], sigma = fit$sigma, r = exp(-1 / value[[1]]),
      s_u = fit$sigma * sqrt(1 - value[[2]]), s_e = fit$sigma * sqrt(value[[2]]),
      reml_criterion = -2 * c(logLik(fit)),
      contrasts = each_row(L, function(l, i) {
        list(estimate = sum(l * coef(fit)), std_error = sqrt(quadratic(rbind(l), vcov(fit))))
      })
    )
  }
  optimised <- show(run(c(2, 0.3), FALSE))
  at <- run(c(-1 / log(found$r), found$s_e^2 / total), TRUE)
  L <- contrast_matrix(unlist(about$levels), names(coef(at)))
  optimised$at_our_optimum <- list(
    sigma = at$sigma, reml_criterion = -2 * c(logLik(at)),
    contrasts = each_row(L, function(l, i) {
      list(estimate = sum(l * coef(at)), std_error = sqrt(quadratic(rbind(l), vcov(at))))
    })
  )
  optimised
}

# ---- permutation ---------------------------------------------------------------------------------

# Cell means m, periods X0, treated cells d, V block-diagonal with K = 0.5 J + 0.5 I a cluster:
# tau of GLS of m on [X0, d]; v = sum over clusters of (w_g'e_g)^2 with
# w = V^-1 (d - X0 h) / (d'V^-1 d - d'V^-1 X0 h), h = (X0'V^-1 X0)^-1 X0'V^-1 d; t = tau / sqrt(v).
permutation <- function(about) {
  cells <- cells_of()
  clusters <- levels(cells$cluster)
  periods <- nlevels(cells$period)
  stopifnot(nrow(cells) == length(clusters) * periods) # no cell is empty
  J <- length(clusters)
  arms <- matrix(as.character(cells$arm), J, periods, byrow = TRUE)
  key <- apply(arms, 1, paste, collapse = " ")
  sequences <- sort(unique(key))
  stopifnot(length(sequences) == 2)
  treated <- do.call(rbind, strsplit(sequences, " ")) == about$levels[[2]]
  X0 <- model.matrix(~ 0 + factor(cells$position))
  Vi <- kronecker(diag(J), solve(0.5 * matrix(1, periods, periods) + 0.5 * diag(periods)))
  statistic <- function(assigned) { # index of each cluster's sequence
    d <- as.vector(t(treated[assigned, ])) * 1
    h <- solve(t(X0) %*% Vi %*% X0, t(X0) %*% Vi %*% d)
    w <- drop(Vi %*% (d - X0 %*% h)) / c(t(d) %*% Vi %*% d - t(d) %*% Vi %*% X0 %*% h)
    X <- cbind(X0, d)
    coefficients <- solve(t(X) %*% Vi %*% X, t(X) %*% Vi %*% cells$y)
    e <- cells$y - drop(X %*% coefficients)
    v <- sum(rowsum(w * e, rep(seq_len(J), each = periods))^2)
    tau <- coefficients[length(coefficients)]
    c(tau = tau, v = v, t = tau / sqrt(v))
  }
  observed <- statistic(match(key, sequences))
  second <- combn(J, sum(key == sequences[2])) # clusters with the second sequence
  assigned <- apply(second, 2, function(g) replace(rep(1, J), g, 2))
  t <- apply(assigned, 2, function(a) statistic(a)[["t"]])
  list(
    clusters = as.list(clusters), cell_means = unname(matrix(cells$y, J, periods, byrow = TRUE)),
    sequences = lapply(strsplit(sequences, " "), as.list),
    observed = list(
      assignment = paste(match(key, sequences) - 1, collapse = ""), tau = observed[["tau"]],
      v = observed[["v"]], t = observed[["t"]]
    ),
    n_assignments = ncol(second),
    n_extreme = sum(abs(t) >= abs(observed[["t"]]) * (1 - 1e-9)),
    p_value = mean(abs(t) >= abs(observed[["t"]]) * (1 - 1e-9)),
    assignments = as.list(apply(assigned - 1, 2, paste, collapse = "")), t = as.list(t)
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
  packages <- c("lme4", "lmerTest", "pbkrtest", "clubSandwich", "nlme", "numDeriv", "Matrix")
  c(
    list(R = paste(R.version$major, R.version$minor, sep = ".")),
    setNames(lapply(packages, function(p) format(packageVersion(p))), packages)
  )
}

values_of <- function(name) {
  spec <- DATASETS[[name]]
  message(name)
  about <- describe(name, spec)
  assign("DATA", read_data(about), globalenv())
  about$n_obs <- nrow(DATA)
  about$n_clusters <- nlevels(DATA$cluster)
  about$n_periods <- nlevels(DATA$period)
  about$n_cells <- nlevels(DATA$cell)
  m <- mixed(about)
  d <- decay(about, m$reml_criterion)
  list(
    dataset = about, mixed = m, ols = ols(about), dummy = dummy(about), cell_means = cell_means(about),
    decay = d, nlme = if (!anyDuplicated(DATA$cell)) nlme_gls(about, d),
    exposure = if (isTRUE(spec$wedge)) exposure(about), no_periods = no_periods(about),
    permutation = if (isTRUE(spec$permute)) permutation(about)
  )
}

chosen <- commandArgs(trailingOnly = TRUE)
stopifnot(chosen %in% names(DATASETS))
partial <- length(chosen) > 0
if (!partial) chosen <- names(DATASETS)
results <- list(versions = versions(), datasets = lapply(setNames(chosen, chosen), values_of))
if (partial) {
  cat(json(results$datasets), "\n")
} else {
  connection <- file(file.path(FOLDER, "periods.json"), open = "wb")
  writeLines(json(results), connection, sep = "\n")
  close(connection)
  # without the folders of the machine
  cat(sub("(BLAS|LAPACK): .*/", "\\1: ", capture.output(print(sessionInfo()))), sep = "\n")
}
