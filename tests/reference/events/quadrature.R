# Reference values of mixed models of events by adaptive Gauss-Hermite quadrature.
# Run from the repository's root; `data` (re)writes the CSVs of tests/reference/events/quadrature:
#   Rscript tests/reference/events/quadrature.R data
#   Rscript tests/reference/events/quadrature.R > tests/reference/events/quadrature.out 2>&1
#
# Definitions
#   agq25, agq1   lme4's own deviance function with 25 nodes and with 1 (Laplace), in (theta, beta),
#                 minimised by nlminb and then by Newton steps with numDeriv's gradient and Hessian:
#                 glmer's optimiser stops up to 2e-5 short in coefficients. `se` are of the inverse of
#                 half the Hessian in (theta, beta), as glmer's; where theta is 0, of that in beta.
#                 `glmer` are the values that glmer itself prints.
#   laplace       the same with one node, by modes that are found here to 1e-14: lme4's search for them
#                 stops early, at weights of the step before, which with one node shows in the 5th digit.
#   nb            negative binomial: density by dnbinom(mu, size), integral over the group's effect by
#                 R's integrate to 1e-12; maximised over (beta, log sd, log size) by nlminb and Newton;
#                 with sd 0 where that is no worse, where MASS::glm.nb has the same coefficients.
#                 `se` of the inverse of the observed information of all parameters.
#   standardised  risks of arms at agq25: mean over individuals, with every one of them in this arm, of
#                 the integral (R's integrate) of plogis(x'beta + sd u) dnorm(u); standard errors of
#                 differences and of logarithms of ratios by the delta method, gradients by numDeriv.
#   profile       95% limits by uniroot on the deviance function of agq25 minimised over all the rest,
#                 and the likelihood ratio statistic that all arms are equal.

suppressPackageStartupMessages({
  library(lme4)
  library(MASS)
  library(numDeriv)
  library(jsonlite)
})
options(warn = 1, digits = 10)
HERE <- "tests/reference/events/quadrature"

DATASETS <- list(
  between = list(formula = y ~ arm, family = "binomial"),
  boundary = list(formula = y ~ arm, family = "binomial"),
  unbalanced = list(formula = y ~ arm + x + w, family = "binomial"),
  within = list(formula = y ~ arm + x, family = "binomial"),
  spread = list(formula = y ~ arm, family = "binomial"),
  cbpp = list(formula = y ~ arm, family = "binomial"),
  visits = list(formula = y ~ arm + offset(log(time)), family = "poisson"),
  rates = list(formula = y ~ arm + x + offset(log(time)), family = "poisson"),
  overdispersed = list(formula = y ~ arm + x + offset(log(time)), family = "nb"),
  overdispersed_alone = list(formula = y ~ arm + offset(log(time)), family = "nb")
)

make <- function(name, d) write.csv(d, file.path(HERE, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)

groups <- function(sizes, arms) {
  g <- rep(seq_along(sizes), sizes)
  data.frame(group = sprintf("g%02d", g), arm = arms[g])
}

make_data <- function() {
  set.seed(16)
  ABC <- c("A", "B", "C")
  d <- groups(rep(25, 15), rep(ABC, 5))
  u <- rnorm(15, 0, 0.7)
  eta <- c(A = -0.6, B = 0.1, C = 0.4)[d$arm] + u[as.integer(factor(d$group))]
  d$y <- rbinom(nrow(d), 1, plogis(eta))
  make("between", d)
  d <- groups(rep(20, 12), rep(c("A", "B"), 6))
  d$y <- unlist(lapply(rep(c(8, 11), 6) + rep(c(0, 1, -1, 0), 3), function(k) rep(1:0, c(k, 20 - k))))
  make("boundary", d)
  d <- groups(sample(4:40, 14), rep(ABC, 5)[1:14])
  g <- as.integer(factor(d$group))
  d$x <- round(rnorm(nrow(d)), 2)
  d$w <- round(runif(14), 2)[g]
  eta <- c(A = -1, B = -0.2, C = 0.3)[d$arm] + 0.5 * d$x - 0.6 * d$w + rnorm(14, 0, 0.9)[g]
  d$y <- rbinom(nrow(d), 1, plogis(eta))
  make("unbalanced", d)
  d <- groups(rep(c(12, 18, 24), 4), rep("A", 12))
  d$arm <- sample(c("A", "B"), nrow(d), TRUE)
  d$x <- round(rnorm(nrow(d)), 2)
  eta <- 0.4 * (d$arm == "B") - 0.3 * d$x + rnorm(12, 0, 0.8)[as.integer(factor(d$group))]
  d$y <- rbinom(nrow(d), 1, plogis(eta))
  make("within", d)
  d <- groups(rep(6, 30), rep(c("A", "B"), 15))
  d$y <- rbinom(nrow(d), 1, plogis(0.5 * (d$arm == "B") + rnorm(30, 0, 2.5)[as.integer(factor(d$group))]))
  make("spread", d)
  d <- with(cbpp, data.frame(group = sprintf("g%02d", rep(herd, size)), arm = paste0("P", rep(period, size))))
  d$y <- unlist(mapply(function(k, n) rep(1:0, c(k, n - k)), cbpp$incidence, cbpp$size))
  make("cbpp", d)
  d <- groups(rep(10, 16), rep(c("A", "B"), 8))
  d$time <- round(runif(nrow(d), 0.2, 3), 2)
  d$y <- rpois(nrow(d), d$time * exp(0.3 - 0.4 * (d$arm == "B") + rnorm(16, 0, 0.5)[as.integer(factor(d$group))]))
  make("visits", d)
  d <- groups(sample(3:20, 15), rep(ABC, 5))
  g <- as.integer(factor(d$group))
  d$time <- round(runif(nrow(d), 0.2, 3), 2)
  d$x <- round(rnorm(nrow(d)), 2)
  d$y <- rpois(nrow(d), d$time * exp(-0.5 + 0.3 * (d$arm == "B") + 0.4 * d$x + rnorm(15, 0, 0.8)[g]))
  make("rates", d)
  mu <- d$time * exp(0.5 + 0.3 * (d$arm == "B") + 0.4 * d$x + rnorm(15, 0, 0.6)[g])
  d$y <- rnbinom(nrow(d), mu = mu, size = 1.5)
  make("overdispersed", d)
  d <- groups(rep(12, 12), rep(c("A", "B"), 6))
  d$time <- round(runif(nrow(d), 0.5, 2), 2)
  for (try in 1:100) { # no variance of groups
    d$y <- rnbinom(nrow(d), mu = d$time * exp(1 + 0.3 * (d$arm == "B")), size = 1.2)
    if (!is.na(nb(d, DATASETS$overdispersed_alone$formula, TRUE)$sd)) break
  }
  make("overdispersed_alone", d)
}

# ---- minimisation -----------------------------------------------------------------------------------

polish <- function(f, start, lower = rep(-Inf, length(start))) {
  best <- nlminb(start, f, lower = lower, control = list(rel.tol = 1e-14, x.tol = 1e-12, iter.max = 1000, eval.max = 5000))$par
  free <- best > lower + 1e-6
  g <- function(x) { full <- best; full[!free] <- lower[!free]; full[free] <- x; f(full) }
  x <- best[free]
  for (i in 1:6) {
    H <- hessian(g, x)
    step <- solve(H, grad(g, x))
    if (max(abs(step)) > 0.1) stop("no optimum")
    x <- x - step
    if (max(abs(step)) < 1e-10) break
  }
  best[!free] <- lower[!free]
  best[free] <- x
  H <- hessian(g, x)
  vcov <- matrix(0, length(best), length(best))
  vcov[free, free] <- 2 * solve(H)
  cat("    last step", format(max(abs(step))), "free", free, "\n")
  list(par = best, vcov = vcov, value = f(best))
}

deviance_function <- function(d, spec, nAGQ) {
  control <- glmerControl(tolPwrss = 1e-13, compDev = TRUE)
  formula <- update(spec$formula, . ~ . + (1 | group))
  parsed <- glFormula(formula, d, get(spec$family), control = control)
  f <- do.call(mkGlmerDevfun, c(parsed, list(control = control)))
  optimizeGlmer(f)
  updateGlmerDevfun(f, parsed$reTrms, nAGQ = nAGQ)
}

agq <- function(d, spec, nAGQ) {
  formula <- update(spec$formula, . ~ . + (1 | group))
  printed <- suppressMessages(glmer(formula, d, get(spec$family), nAGQ = nAGQ))
  f <- deviance_function(d, spec, nAGQ)
  start <- c(max(getME(printed, "theta"), 0.05), fixef(printed))
  best <- polish(f, start, c(0, rep(-Inf, length(start) - 1)))
  list(
    sd = best$par[1], beta = best$par[-1], se = sqrt(diag(best$vcov))[-1], se_sd = sqrt(best$vcov[1, 1]),
    deviance = best$value, vcov = best$vcov,
    glmer = list(sd = as.numeric(getME(printed, "theta")), beta = as.numeric(fixef(printed)),
                 se = as.numeric(sqrt(diag(as.matrix(vcov(printed))))))
  )
}

laplace <- function(d, spec, start) {
  frame <- model.frame(spec$formula, d)
  X <- model.matrix(spec$formula, frame)
  y <- model.response(frame)
  shift <- model.offset(frame)
  if (is.null(shift)) shift <- 0
  group <- as.integer(d$group)
  link <- make.link(if (spec$family == "binomial") "logit" else "log")
  sums <- function(v) as.numeric(tapply(v, group, sum))
  deviance <- function(x) {
    s <- x[1]
    eta <- drop(X %*% x[-1]) + shift
    u <- rep(0, max(group))
    for (i in 1:200) {
      mu <- link$linkinv(eta + s * u[group])
      w <- if (spec$family == "binomial") mu * (1 - mu) else mu
      curvature <- 1 + s^2 * sums(w)
      step <- (s * sums(y - mu) - u) / curvature
      u <- u + pmax(pmin(step, 1), -1)
      if (max(abs(step)) < 1e-14) break
    }
    at <- eta + s * u[group]
    loglik <- if (spec$family == "binomial") y * at - log1p(exp(at)) else y * at - exp(at)
    -2 * sum(loglik) + sum(u^2) + sum(log(curvature))
  }
  best <- polish(deviance, start, c(0, rep(-Inf, length(start) - 1)))
  list(sd = best$par[1], beta = best$par[-1], se = sqrt(diag(best$vcov))[-1])
}

nb <- function(d, formula, boundary_only = FALSE) {
  frame <- model.frame(formula, d)
  X <- model.matrix(formula, frame)
  y <- model.response(frame)
  shift <- model.offset(frame)
  rows <- split(seq_along(y), d$group)
  p <- ncol(X)
  loglik_of <- function(i, eta, s, size) {
    h <- function(u) {
      mu <- exp(outer(eta[i], s * u, "+"))
      colSums(matrix(dnbinom(y[i], mu = mu, size = size, log = TRUE), length(i))) + dnorm(u, log = TRUE)
    }
    mode <- optimize(h, c(-8, 8), maximum = TRUE, tol = 1e-10)
    width <- 1 / sqrt(-(h(mode$maximum + 1e-3) - 2 * mode$objective + h(mode$maximum - 1e-3)) / 1e-6)
    inner <- function(t) exp(h(mode$maximum + width * t) - mode$objective)
    mode$objective + log(width * integrate(inner, -12, 12, rel.tol = 1e-12, subdivisions = 1000)$value)
  }
  deviance <- function(x) {
    eta <- drop(X %*% x[1:p]) + shift
    -2 * sum(sapply(rows, loglik_of, eta, exp(x[p + 1]), exp(x[p + 2])))
  }
  alone <- function(x) {
    eta <- drop(X %*% x[1:p]) + shift
    -2 * sum(dnbinom(y, mu = exp(eta), size = exp(x[p + 1]), log = TRUE))
  }
  without <- suppressWarnings(glm.nb(formula, d, control = glm.control(epsilon = 1e-14, maxit = 100)))
  pooled <- polish(alone, c(coef(without), log(without$theta)))
  cat("    glm.nb differs by", max(abs(coef(without) - pooled$par[1:p])), without$theta - exp(pooled$par[p + 1]), "\n")
  # A positive second derivative by the sd at 0 is a boundary optimum.
  at <- function(s) deviance(c(pooled$par[1:p], log(s), pooled$par[p + 1]))
  if (at(0.05) > pooled$value) {
    return(list(sd = 0, beta = pooled$par[1:p], se = sqrt(diag(pooled$vcov))[1:p], size = exp(pooled$par[p + 1]),
                deviance = pooled$value, glm_nb = list(beta = as.numeric(coef(without)), size = without$theta)))
  }
  if (boundary_only) return(list(sd = NA))
  best <- polish(deviance, c(pooled$par[1:p], log(0.5), pooled$par[p + 1]))
  printed <- suppressWarnings(suppressMessages(glmer.nb(update(formula, . ~ . + (1 | group)), d)))
  list(sd = exp(best$par[p + 1]), beta = best$par[1:p], se = sqrt(diag(best$vcov))[1:p], size = exp(best$par[p + 2]),
       deviance = best$value,
       glmer_nb = list(sd = as.numeric(getME(printed, "theta")), beta = as.numeric(fixef(printed)), size = getME(printed, "glmer.nb.theta")))
}

# ---- what follows from a fit ------------------------------------------------------------------------

standardised <- function(d, spec, fit) {
  risks <- function(x) {
    sapply(levels(d$arm), function(a) {
      e <- d
      e$arm <- factor(a, levels(d$arm))
      eta <- drop(model.matrix(delete.response(terms(spec$formula)), e) %*% x[-1])
      values <- unique(eta)
      each <- sapply(values, function(v) integrate(function(u) plogis(v + x[1] * u) * dnorm(u), -10, 10, rel.tol = 1e-12, subdivisions = 1000)$value)
      mean(each[match(eta, values)])
    })
  }
  x <- c(fit$sd, fit$beta)
  D <- function(L, map) { J <- jacobian(function(v) drop(L %*% map(risks(v))), x); sqrt(diag(J %*% fit$vcov %*% t(J))) }
  k <- nlevels(d$arm)
  L <- do.call(rbind, lapply(combn(k, 2, simplify = FALSE), function(ab) replace(replace(rep(0, k), ab[1], -1), ab[2], 1)))
  r <- risks(x)
  list(risk = r, risk_se = D(diag(k), identity), difference = drop(L %*% r), difference_se = D(L, identity),
       log_ratio = drop(L %*% log(r)), log_ratio_se = D(L, log))
}

profile_of <- function(d, spec, fit) {
  f <- deviance_function(d, spec, 25)
  x <- c(fit$sd, fit$beta)
  arms <- grep("^arm", colnames(model.matrix(spec$formula, d))) + 1
  least <- function(fixed, at) {
    rest <- setdiff(seq_along(x), fixed)
    g <- function(v) { full <- x; full[fixed] <- at; full[rest] <- v; f(full) }
    nlminb(x[rest], g, lower = c(0, rep(-Inf, length(rest) - 1)), control = list(rel.tol = 1e-13, x.tol = 1e-10))$objective
  }
  j <- arms[1]
  excess <- function(at) least(j, at) - fit$deviance - qchisq(0.95, 1)
  se <- fit$se[j - 1]
  list(low = uniroot(excess, x[j] - c(5, 1) * se, tol = 1e-9)$root, high = uniroot(excess, x[j] + c(1, 5) * se, tol = 1e-9)$root,
       ratio_of_row = least(j, 0) - fit$deviance, ratio_of_all = least(arms, rep(0, length(arms))) - fit$deviance)
}

if ("data" %in% commandArgs(TRUE)) {
  make_data()
} else {
  out <- list()
  for (name in names(DATASETS)) {
    spec <- DATASETS[[name]]
    cat(name, "\n")
    file <- file.path(HERE, paste0(name, ".csv"))
    d <- read.csv(file, stringsAsFactors = TRUE)
    one <- list(md5 = unname(tools::md5sum(file)))
    if (spec$family == "nb") {
      one$nb <- nb(d, spec$formula)
    } else {
      for (k in c(1, 25)) one[[paste0("agq", k)]] <- agq(d, spec, k)
      one$laplace <- laplace(d, spec, c(one$agq1$sd, one$agq1$beta))
      if (spec$family == "binomial") one$standardised <- standardised(d, spec, one$agq25)
      if (name %in% c("between", "unbalanced", "visits")) one$profile <- profile_of(d, spec, one$agq25)
    }
    out[[name]] <- one
  }
  out$versions <- c(R = R.version.string, sapply(c("lme4", "MASS", "numDeriv"), function(p) as.character(packageVersion(p))))
  write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "tests/reference/events/quadrature.json")
  print(out$versions)
}
