# Reference values for profile intervals of variances: tests/reference/variance_profiles.json.
# Run from the repository's root:
#   Rscript tests/reference/variance_profiles.R > tests/reference/variance_profiles.out 2>&1
#
# Limits at 95% of the full (ml) and the restricted (reml) profile likelihood, by uniroot on lme4's
# deviance minimised over all the rest. A limit at the edge of the parameter space is the edge.
#   sd     of each effect of each term, and of the residual: `term.effect`, `residual`
#   share  of each term's variance in the total, and of all terms together (`total`); intercepts only
# Searches start inside: theta = 0 is a stationary point of the deviance, minimum or not.

suppressPackageStartupMessages(library(lme4))
options(warn = 1)

FOLDER <- "tests/reference"
CUTOFF <- qchisq(0.95, 1)
MODELS <- list(
  flipped_classroom = score ~ style + (1 | professor),
  unbalanced = y ~ arm + x + (1 | clinic),
  boundary = y ~ arm + (1 | region),
  blocked = y ~ arm + (1 | site / ward),
  within = y ~ arm + (arm | cluster),
  sleepstudy = Reaction ~ Days + (Days || Subject),
  oats = yield ~ Variety + nitro + (1 | Block / Variety),
  penicillin = diameter ~ 1 + (1 | plate) + (1 | sample)
)

# -2 log-likelihood at theta, and sigma where it is given.
deviance_of <- function(formula, data, reml) {
  devfun <- lmer(formula, data, REML = reml, devFunOnly = TRUE)
  parts <- environment(devfun)
  n <- nrow(data)
  df <- n - if (reml) ncol(parts$pp$X) else 0
  function(theta, sigma = NULL) {
    devfun(theta)
    logdet <- parts$pp$ldL2() + if (reml) parts$pp$ldRX2() else 0
    pwrss <- parts$resp$wrss() + parts$pp$sqrL(1)
    s2 <- if (is.null(sigma)) pwrss / df else sigma^2
    logdet + df * log(2 * pi * s2) + pwrss / s2
  }
}

minimise <- function(f, start, lower) {
  if (length(start) == 0) return(f(start))
  inside <- ifelse(start <= lower + 1e-3, lower + 0.3, start)
  safe <- function(x) tryCatch(f(x), error = function(e) Inf)
  control <- list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 5000, iter.max = 2000)
  best <- Inf
  for (first in list(start, inside)) for (round in 1:3) {
    found <- nlminb(first, safe, lower = lower, control = control)
    best <- min(best, found$objective)
    first <- found$par
  }
  best
}

limit <- function(profile, estimate, step, edge, target) {
  inside <- estimate
  repeat {
    outside <- inside + step
    if ((outside - edge) * sign(step) >= 0) {
      if (profile(edge) <= target) return(edge)
      outside <- edge
      break
    }
    if (profile(outside) > target) break
    inside <- outside
  }
  uniroot(function(x) profile(x) - target, sort(c(inside, outside)), tol = 1e-11 * abs(step))$root
}

interval <- function(profile, estimate, step, edges, target) {
  list(
    estimate = estimate, conf_low = limit(profile, estimate, -step, edges[1], target),
    conf_high = limit(profile, estimate, step, edges[2], target)
  )
}

# Parameters are theta and sigma; a sd that is not the first of its term is the length of a row.
sds <- function(fit, deviance, target) {
  theta <- unname(getME(fit, "theta"))
  bounds <- getME(fit, "lower")
  s <- sigma(fit)
  k <- length(theta)
  found <- list(residual = interval(function(value) {
    minimise(function(x) deviance(x, value), theta, bounds)
  }, s, 0.1 * s, c(1e-6 * s, Inf), target))
  at <- 0
  for (t in seq_along(getME(fit, "cnms"))) {
    effects <- getME(fit, "cnms")[[t]]
    q <- length(effects)
    stopifnot(q <= 2)
    for (i in seq_len(q)) {
      sd <- s * if (i == 1) theta[at + 1] else sqrt(sum(theta[at + 2:3]^2))
      held <- function(value) {
        minimise(function(x) {
          sigma <- exp(x[k])
          if (i == 1) return(deviance(append(x[-k], value / sigma, after = at), sigma))
          angle <- x[at + 2] # of the second row, whose length is held
          all <- append(x[-k], 0, after = at + 2)
          all[at + 2:3] <- value / sigma * c(cos(angle), abs(sin(angle)))
          deviance(all, sigma)
        }, start(theta, s, at, i), low(bounds, at, i))
      }
      name <- paste0(names(getME(fit, "cnms"))[t], ".", effects[i])
      found[[name]] <- interval(held, sd, max(0.2 * sd, 0.1 * s / sqrt(10)), c(0, Inf), target)
    }
    at <- at + q * (q + 1) / 2
  }
  found
}

start <- function(theta, s, at, i) {
  if (i == 1) return(c(theta[-(at + 1)], log(s)))
  angle <- atan2(theta[at + 3], theta[at + 2])
  c(replace(theta, at + 2, angle)[-(at + 3)], log(s))
}

low <- function(bounds, at, i) {
  if (i == 1) return(c(bounds[-(at + 1)], -Inf))
  c(replace(bounds, at + 2, -Inf)[-(at + 3)], -Inf)
}

shares <- function(fit, deviance, target) {
  theta <- unname(getME(fit, "theta"))
  total <- 1 + sum(theta^2)
  found <- list()
  for (k in seq_along(theta)) {
    held <- function(share) {
      minimise(function(x) {
        own <- sqrt(share / (1 - share) * (1 + sum(x^2)))
        deviance(append(x, own, after = k - 1))
      }, theta[-k], rep(0, length(theta) - 1))
    }
    found[[names(getME(fit, "cnms"))[k]]] <-
      interval(held, theta[k]^2 / total, 0.05, c(0, 1 - 1e-9), target)
  }
  held <- function(share) {
    radius <- sqrt(share / (1 - share))
    if (length(theta) == 1) return(deviance(radius))
    at <- function(angle) deviance(radius * c(cos(angle), sin(angle)))
    pieces <- seq(0, pi / 2, length.out = 9)
    min(sapply(pieces, at), sapply(1:8, function(j) {
      optimize(at, pieces[c(j, j + 1)], tol = 1e-10)$objective
    }))
  }
  found$total <- interval(held, 1 - 1 / total, 0.05, c(0, 1 - 1e-9), target)
  found
}

profiles <- function(name, reml) {
  data <- read.csv(file.path(FOLDER, "data", paste0(name, ".csv")))
  factors <- setdiff(names(data)[vapply(data, is.character, TRUE)], character(0))
  for (factor in factors) data[[factor]] <- factor(data[[factor]])
  tight <- lmerControl(
    optimizer = "nloptwrap", calc.derivs = FALSE,
    optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)
  )
  fit <- lmer(MODELS[[name]], data, REML = reml, control = tight)
  deviance <- deviance_of(MODELS[[name]], data, reml)
  least <- minimise(deviance, unname(getME(fit, "theta")), getME(fit, "lower"))
  intercepts <- all(unlist(getME(fit, "cnms")) == "(Intercept)")
  message(name, if (reml) " reml" else " ml")
  list(
    sd = sds(fit, deviance, least + CUTOFF),
    share = if (intercepts) shares(fit, deviance, least + CUTOFF)
  )
}

result <- lapply(setNames(names(MODELS), names(MODELS)), function(name) {
  list(
    formula = paste(deparse(MODELS[[name]], width.cutoff = 500), collapse = ""),
    reml = profiles(name, TRUE), ml = profiles(name, FALSE)
  )
})
versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")))
text <- jsonlite::toJSON(
  c(list(versions = versions), result), auto_unbox = TRUE, digits = I(12), pretty = 2, null = "null"
)
writeLines(text, file.path(FOLDER, "variance_profiles.json"))
