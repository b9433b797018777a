# Reference values for regressions of events: glm with clubSandwich, geepack with three corrections.
# Run from the repository's root; data and values are written beside this file:
#   Rscript tests/reference/events/glm.R > tests/reference/events/glm.out 2>&1
#
# Datasets      six simulated here by a fixed seed, and two of MASS: bacteria (Menzies School of Health
#               Research; Venables and Ripley 2002, section 10.4), epil (Thall and Vail 1990).
# Models        odds_ratio: logistic. ratio: log link; binary outcomes have the variance of Poisson counts
#               (modified Poisson). difference: identity link, variance of binary outcomes or Poisson's.
# glm           epsilon 1e-14; `se` is the inverse information's, for the modified Poisson HC0 of
#               individuals. clubSandwich CR1S, CR2, CR3; df Satterthwaite's; omnibus HTZ for CR2, for the
#               others chi-square/q as F with G - 1.
# group logs    lm on the groups' log odds, log risks or log rates and means of X; see `group_rows`.
# GEE           geeglm(corstr = "exchangeable"), epsilon 1e-14: alpha and the scale are its own. Where the
#               model is of rates, differences have the columns of X times the exposure. Corrections by
#               their formulas, with matrices of the size of groups, D, V of geeglm's alpha:
#   MD  (I - H)^-1 e              Mancl and DeRouen (2001), H = D (sum D'V^-1 D)^-1 D'V^-1
#   KC  (I - H)^-1/2 e            Kauermann and Carroll (2001), the principal root of I - H
#   FG  diag(1 - min(.75, (D'V^-1 D B)_jj))^-1/2 D'V^-1 e   Fay and Graubard (2001), as in saws, for
#       covariates that are measured from their means; carried back to the coefficients of X

suppressPackageStartupMessages({
  library(clubSandwich)
  library(geepack)
  library(MASS)
})
invisible(Sys.setlocale("LC_COLLATE", "C"))
options(warn = 1, digits = 10)
HERE <- "tests/reference/events"
BOUND <- 0.75

# ---- datasets ------------------------------------------------------------------------------------

clusters <- function(sizes, arms, within = FALSE) {
  g <- rep(seq_along(sizes), sizes)
  code <- if (within) sequence(sizes) %% arms else g %% arms
  data.frame(group = g, arm = LETTERS[1 + code], stringsAsFactors = FALSE)
}

make_data <- function() {
  set.seed(20261127)
  u <- function(d, sd) rnorm(max(d$group), 0, sd)[d$group]
  code <- function(d) match(d$arm, LETTERS) - 1
  d <- clusters(rep(25, 15), 3)
  d$y <- rbinom(nrow(d), 1, plogis(-0.4 + 0.3 * code(d) + u(d, 0.5)))
  balanced <- d
  d <- clusters(c(4, 31, 12, 8, 22, 15, 6, 40, 9, 18, 11, 27), 2)
  d$x <- round(rnorm(nrow(d)), 3)
  d$w <- round(rnorm(12), 3)[d$group]
  d$y <- rbinom(nrow(d), 1, plogis(0.2 - 0.5 * code(d) + 0.6 * d$x + 0.3 * d$w + u(d, 0.6)))
  unbalanced <- d
  d <- clusters(rep(c(8, 14, 10, 12), 5), 2)
  d$block <- c("east", "north", "south", "west")[1 + ((d$group - 1) %/% 2) %% 4]
  d$x <- round(runif(nrow(d), 30, 70))
  d$y <- rbinom(nrow(d), 1, plogis(-2 + 0.5 * code(d) + 0.03 * d$x + u(d, 0.4)))
  blocked <- d
  d <- clusters(c(7, 12, 9, 16, 11, 8, 14, 10, 13, 6), 2, within = TRUE)
  d$x <- round(rnorm(nrow(d)), 2)
  d$y <- rbinom(nrow(d), 1, plogis(-0.2 + 0.7 * code(d) + 0.4 * d$x + u(d, 0.8)))
  within <- d
  d <- clusters(c(20, 35, 50, 25, 40, 30, 45, 28, 33, 22), 2) # no effects of groups, few events
  d$y <- rbinom(nrow(d), 1, 0.06 + 0.05 * code(d))
  boundary <- d
  d <- clusters(c(9, 14, 6, 20, 11, 8, 17, 12, 10, 13, 7, 15), 2)
  d$exposure <- round(rgamma(nrow(d), 4, 2) + 0.1, 2)
  d$x <- round(rnorm(nrow(d)), 2)
  d$y <- rpois(nrow(d), d$exposure * exp(0.3 + 0.3 * code(d) + 0.2 * d$x + u(d, 0.3)))
  counts <- d
  d <- bacteria
  bacteria <- data.frame(
    group = as.integer(d$ID), arm = c(placebo = "A", drug = "B", `drug+` = "C")[as.character(d$trt)],
    x = d$week, y = as.integer(d$y == "y")
  )
  d <- epil
  epil <- data.frame(
    group = d$subject, arm = ifelse(d$trt == "placebo", "A", "B"), x = round(d$lbase, 6),
    w = d$age, y = d$y
  )
  list(
    balanced = balanced, unbalanced = unbalanced, blocked = blocked, within = within,
    boundary = boundary, counts = counts, bacteria = bacteria, epil = epil
  )
}

# ---- fits ----------------------------------------------------------------------------------------

terms_of <- function(d) {
  c("arm", intersect(c("block", "x", "w"), names(d)))
}

sandwich_rows <- function(fit, d, add) {
  names <- names(coef(fit))
  arms <- grep("^arm", names)
  for (type in c("CR1S", "CR2", "CR3")) {
    V <- vcovCR(fit, cluster = d$group, type = type)
    add(paste0("se_", type), names, sqrt(diag(as.matrix(V))))
    W <- as.matrix(V)[arms, arms, drop = FALSE]
    b <- coef(fit)[arms]
    if (type == "CR2") {
      add("df_CR2", names, coef_test(fit, V, test = "Satterthwaite")$df_Satt)
      test <- Wald_test(fit, constrain_zero(arms), V, test = "HTZ")
      add("omnibus_F_CR2", "arm", test$Fstat)
      add("omnibus_df_CR2", "arm", test$df_denom)
    } else {
      add(paste0("omnibus_F_", type), "arm", drop(b %*% solve(W, b)) / length(b))
    }
  }
}

glm_rows <- function(d, family, scale, add) {
  logs <- if (is.null(d$exposure)) 0 * d$y else log(d$exposure)
  formula <- reformulate(c(terms_of(d), "offset(logs)"), "y")
  kind <- if (scale == "odds_ratio") binomial() else poisson()
  environment(formula) <- environment()
  fit <- glm(formula, kind, d, control = glm.control(epsilon = 1e-15, maxit = 100))
  add("estimate", names(coef(fit)), coef(fit))
  V <- vcov(fit)
  if (family == "binary" && scale == "ratio") {
    X <- model.matrix(fit)
    V <- V %*% crossprod(X * (d$y - fitted(fit))) %*% V
  }
  add("se", names(coef(fit)), sqrt(diag(V)))
  sandwich_rows(fit, d, add)
}

principal_inverse_root <- function(A) {
  e <- eigen(A)
  stopifnot(Re(e$values) > 0)
  Re(e$vectors %*% (1 / sqrt(as.complex(e$values)) * solve(e$vectors)))
}

corrected <- function(X, y, mu, d, v, group, alpha) {
  parts <- lapply(split(seq_along(y), group), function(i) {
    D <- d[i] * X[i, , drop = FALSE]
    R <- matrix(alpha, length(i), length(i)) + diag(1 - alpha, length(i))
    list(D = D, VD = solve(sqrt(v[i]) * t(sqrt(v[i]) * R), D), e = y[i] - mu[i])
  })
  B <- solve(Reduce(`+`, lapply(parts, function(s) crossprod(s$VD, s$D))))
  scores <- function(f) B %*% Reduce(`+`, lapply(parts, function(s) tcrossprod(f(s)))) %*% B
  H <- function(s) diag(length(s$e)) - s$D %*% B %*% t(s$VD)
  list(
    LZ = scores(function(s) t(s$VD) %*% s$e),
    MD = scores(function(s) t(s$VD) %*% solve(H(s), s$e)),
    KC = scores(function(s) t(s$VD) %*% principal_inverse_root(H(s)) %*% s$e),
    FG = scores(function(s) {
      share <- diag(crossprod(s$VD, s$D) %*% B)
      (t(s$VD) %*% s$e) / sqrt(1 - pmin(BOUND, share))
    })
  )
}

gee_rows <- function(d, family, scale, add) {
  exposure <- if (is.null(d$exposure)) rep(1, nrow(d)) else d$exposure
  X <- model.matrix(reformulate(terms_of(d)), d)
  names <- colnames(X)
  identity <- scale == "difference"
  d$logs <- if (identity) 0 else log(exposure)
  d$X <- if (identity) X * exposure else X
  link <- c(difference = "identity", ratio = "log", odds_ratio = "logit")[[scale]]
  kind <- if (family == "binary" && scale != "ratio") binomial(link) else poisson(link)
  d$mustart <- mean(d$y) * (if (identity) exposure / mean(exposure) else 1)
  fit <- geeglm(
    y ~ 0 + X + offset(logs), family = kind, data = d, id = group, corstr = "exchangeable",
    mustart = mustart, control = geese.control(epsilon = 1e-15, maxit = 1000)
  )
  alpha <- fit$geese$alpha[[1]]
  mu <- fitted(fit)
  vcovs <- function(X) {
    corrected(X, d$y, mu, kind$mu.eta(fit$linear.predictors), kind$variance(mu), d$group, alpha)
  }
  V <- vcovs(d$X)
  A <- diag(ncol(X)) # X A has covariates less their means
  numeric <- apply(X, 2, function(x) !all(x %in% 0:1))
  A[1, numeric] <- -colMeans(X)[numeric]
  V$FG <- A %*% vcovs(d$X %*% A)$FG %*% t(A)
  stopifnot(abs(sqrt(diag(V$LZ)) / sqrt(diag(vcov(fit))) - 1) < 1e-8)
  add("gee_estimate", names, coef(fit))
  add("gee_alpha", "alpha", alpha)
  add("gee_scale", "scale", fit$geese$gamma[[1]])
  for (type in c("MD", "KC", "FG")) add(paste0("se_", type), names, sqrt(diag(V[[type]])))
}

# Least squares of the log odds, log risks or log rates of groups, 1/2 added in all where one is infinite.
group_rows <- function(d, family, scale, add) {
  exposure <- if (is.null(d$exposure)) rep(1, nrow(d)) else d$exposure
  X <- apply(model.matrix(reformulate(terms_of(d)), d), 2, function(x) tapply(x, d$group, mean))
  if (any(tapply(d$arm, d$group, function(arm) length(unique(arm))) > 1)) return()
  events <- tapply(d$y, d$group, sum)
  n <- tapply(d$y, d$group, length)
  half <- if (any(events == 0 | (scale == "odds_ratio" & events == n))) 0.5 else 0
  logs <- if (scale == "odds_ratio") {
    log((events + half) / (n - events + half))
  } else if (family == "binary") {
    log((events + half) / (n + half))
  } else {
    log((events + half) / tapply(exposure, d$group, sum))
  }
  fit <- summary(lm(logs ~ 0 + X))
  add("logs_added", "half", half)
  add("logs_estimate", colnames(X), fit$coefficients[, 1])
  add("logs_se", colnames(X), fit$coefficients[, 2])
  add("logs_df", "df", fit$df[2])
}

# ---- output --------------------------------------------------------------------------------------

rows <- list()
datasets <- make_data()
for (name in names(datasets)) {
  d <- datasets[[name]]
  write.csv(d, file.path(HERE, "glm", paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
  d <- d[order(d$group), ]
  family <- if (name %in% c("counts", "epil")) "count" else "binary"
  scales <- c("ratio", "difference", if (family == "binary") "odds_ratio")
  for (scale in scales) {
    add <- function(what, term, value) {
      rows[[length(rows) + 1]] <<- data.frame(
        dataset = name, family = family, scale = scale, statistic = what, term = term,
        value = sprintf("%.17g", unname(value))
      )
    }
    if (scale != "difference") {
      glm_rows(d, family, scale, add)
      group_rows(d, family, scale, add)
    }
    attempt <- tryCatch(gee_rows(d, family, scale, add), error = function(e) {
      message(name, " ", scale, ": ", conditionMessage(e))
    })
  }
}
write.csv(do.call(rbind, rows), file.path(HERE, "glm.csv"), row.names = FALSE, quote = FALSE)
for (package in c("base", "clubSandwich", "geepack", "MASS")) {
  cat(package, format(packageVersion(package)), "\n")
}
