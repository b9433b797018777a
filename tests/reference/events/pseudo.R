# Mixed models of events by restricted pseudo-likelihood, with dense matrices.
#   Rscript tests/reference/events/pseudo.R > tests/reference/events/pseudo.out 2>&1
# from the repository's root. It draws the data (pseudo/*.csv, fixed seeds) and writes pseudo.json.
#
# Working model (Wolfinger and O'Connell 1993; residual scale 1, as SAS GLIMMIX METHOD=RSPL fits binary
# and Poisson data): z = eta + (y - mu) g'(mu), Var(z) = V = diag(1 / w) + sum_t tau2_t Z_t Z_t'. lmer
# cannot hold the residual variances, and nlme's REML with a fixed sigma does not maximise this
# likelihood: here the root of its gradient is found, and checked by optimise or optim on the dense
# restricted likelihood. The rows are individuals. The search begins at glm.
#
# With G_t = Z_t Z_t', P = V^-1 - V^-1 X Phi X'V^-1, Phi = (X'V^-1 X)^-1:
#   deviance  -2 log REML = log|V| + log|X'V^-1 X| + z'P z           (without constants)
#   gradient  tr(P G_s) - z'P G_s P z
#   hessian   -tr(P G_s P G_t) + 2 z'P G_s P G_t P z                 (observed; expected: tr(P G_s P G_t))
# Satterthwaite: the covariance of tau2 is 2 hessian^-1 over the variances above 0 (as lmerTest's, where
# a variance of 0 drops out). Kenward-Roger: pbkrtest's vcovAdj and KRmodcomp, with tau2 as parameters.

suppressPackageStartupMessages(library(numDeriv))
options(digits = 17, warn = 1)
folder <- "tests/reference/events/pseudo/"

# ---- data ----------------------------------------------------------------------------------------

draw <- function(seed, sizes, sd, effects = c(0, 0.6), intercept = -0.4, assign = "between", x = FALSE,
                 w = FALSE, category = FALSE, blocks = 0, sd_block = 0, count = FALSE, exposure = FALSE) {
  set.seed(seed)
  G <- length(sizes)
  g <- rep(seq_len(G), sizes)
  n <- length(g)
  J <- length(effects)
  arm <- if (assign == "between") (g - 1) %% J + 1 else sequence(sizes) %% J + 1
  d <- data.frame(g = sprintf("g%02d", g), arm = LETTERS[arm])
  eta <- intercept + effects[arm] + sd * rnorm(G)[g]
  if (blocks) {
    b <- (g - 1) %/% (G / blocks) + 1
    d$b <- paste0("b", b)
    eta <- eta + sd_block * rnorm(blocks)[b]
  }
  if (x) { d$x <- round(rnorm(n, 50, 10), 1); eta <- eta + 0.04 * (d$x - 50) }
  if (w) { value <- round(rnorm(G), 2)[g]; d$w <- value; eta <- eta + 0.3 * value }
  if (category) { k <- sample(3, n, TRUE); d$k <- c("low", "mid", "top")[k]; eta <- eta + c(0, .5, -.3)[k] }
  t <- rep(1, n)
  if (exposure) { t <- round(runif(n, 0.2, 3), 2); d$t <- t }
  d$y <- if (count) rpois(n, t * exp(eta)) else rbinom(n, 1, plogis(eta))
  d
}

wedge <- function(seed, sd, sd_cell, count = FALSE) {
  set.seed(seed)
  cells <- expand.grid(p = 1:5, g = 1:8)
  size <- sample(5:14, nrow(cells), TRUE)
  start <- rep(2:5, each = 2)
  arm <- 1 + (cells$p >= start[cells$g])
  eta <- -0.6 + 0.15 * cells$p + 0.5 * (arm - 1) + sd * rnorm(8)[cells$g] + sd_cell * rnorm(nrow(cells))
  i <- rep(seq_len(nrow(cells)), size)
  d <- data.frame(g = sprintf("g%02d", cells$g[i]), arm = LETTERS[arm[i]], p = cells$p[i])
  d$y <- if (count) rpois(length(i), exp(eta[i])) else rbinom(length(i), 1, plogis(eta[i]))
  d
}

repeated <- function(seed) {
  set.seed(seed)
  people <- 100
  visits <- sample(2:6, people, TRUE)
  g <- (seq_len(people) - 1) %/% 10 + 1
  i <- rep(seq_len(people), visits)
  arm <- (g - 1) %% 2 + 1
  eta <- -0.3 + 0.7 * (arm - 1) + 0.6 * rnorm(10)[g] + 1.5 * rnorm(people)
  data.frame(
    g = sprintf("g%02d", g[i]), arm = LETTERS[arm[i]], id = sprintf("i%03d", i),
    y = rbinom(length(i), 1, plogis(eta[i]))
  )
}

uneven <- c(4, 9, 12, 30, 41, 6, 17, 23, 8, 35, 11, 14)
cases <- list(
  balanced = list(data = draw(1, rep(25, 15), 0.6, c(0, 0.4, 0.8)), fixed = ~ arm),
  unbalanced = list(data = draw(2, uneven, 0.8), fixed = ~ arm),
  boundary = list(data = draw(6, rep(20, 10), 0), fixed = ~ arm),
  individuals = list(data = draw(4, uneven, 0.7, x = TRUE, category = TRUE), fixed = ~ arm + x + k),
  groups = list(data = draw(5, rep(15, 14), 0.7, c(0, 0.9), w = TRUE, x = TRUE), fixed = ~ arm + x + w),
  blocked = list(data = draw(6, rep(12, 18), 0.5, c(0, 0.3, 0.6), blocks = 3), fixed = ~ arm + b),
  within = list(data = draw(7, uneven, 0.9, assign = "within"), fixed = ~ arm),
  counts = list(
    data = draw(8, uneven, 0.5, c(0, 0.4, 0.2), count = TRUE, exposure = TRUE), fixed = ~ arm, count = TRUE
  ),
  counts_covariates = list(
    data = draw(9, rep(10, 12), 0.4, x = TRUE, count = TRUE, exposure = TRUE, assign = "within"),
    fixed = ~ arm + x, count = TRUE
  ),
  counts_boundary = list(data = draw(16, rep(9, 10), 0, count = TRUE), fixed = ~ arm, count = TRUE),
  rare = list(data = draw(11, rep(40, 8), 0.9, c(0, 0.4), intercept = -3), fixed = ~ arm),
  blocks_random = list(
    data = draw(12, rep(12, 24), 0.5, c(0, 0.6), blocks = 6, sd_block = 0.8), fixed = ~ arm,
    random = list(group = "g", block = "b")
  ),
  wedge = list(
    data = wedge(13, 0.6, 0.5), fixed = ~ arm + factor(p), random = list(group = "g", cell = c("g", "p"))
  ),
  wedge_counts = list(
    data = wedge(14, 0.4, 0.3, count = TRUE), fixed = ~ arm + factor(p), count = TRUE,
    random = list(group = "g", cell = c("g", "p"))
  ),
  repeated = list(data = repeated(17), fixed = ~ arm, random = list(group = "g", individual = "id"))
)

# ---- the working model -----------------------------------------------------------------------------

dense <- function(m, tau2) {
  V <- diag(1 / m$w) + Reduce(`+`, Map(`*`, m$G, tau2))
  Vi <- chol2inv(chol(V))
  VX <- Vi %*% m$X
  Phi <- solve(crossprod(m$X, VX))
  P <- Vi - VX %*% Phi %*% t(VX)
  list(
    Vi = Vi, Phi = Phi, P = P, Pz = drop(P %*% m$z), beta = drop(Phi %*% crossprod(VX, m$z)),
    deviance = 2 * sum(log(diag(chol(V)))) - determinant(Phi)$modulus[1] + drop(m$z %*% P %*% m$z)
  )
}

gradient <- function(m, tau2) {
  at <- dense(m, tau2)
  sapply(m$G, function(G) sum(at$P * G) - drop(at$Pz %*% G %*% at$Pz))
}

second <- function(m, at) {
  PG <- lapply(m$G, function(G) at$P %*% G)
  k <- seq_along(PG)
  expected <- outer(k, k, Vectorize(function(s, t) sum(PG[[s]] * t(PG[[t]]))))
  square <- outer(k, k, Vectorize(function(s, t) {
    drop((at$Pz %*% m$G[[s]]) %*% at$P %*% (m$G[[t]] %*% at$Pz))
  }))
  list(expected = expected, observed = 2 * square - expected)
}

# The root of the gradient: bisection for one variance; for several Newton's method from scoring, with
# variances that would be negative at 0 while their gradient is positive.
maximise <- function(m, tau2) {
  if (length(tau2) == 1) {
    if (gradient(m, 0) >= 0) return(0)
    return(uniroot(function(v) gradient(m, v), c(0, 100), tol = 1e-15, maxiter = 1000)$root)
  }
  for (i in 1:500) {
    slope <- gradient(m, tau2)
    free <- tau2 > 0 | slope < 0
    H <- second(m, dense(m, tau2))
    A <- H$observed[free, free, drop = FALSE]
    if (min(eigen(A, TRUE)$values) <= 0) A <- H$expected[free, free, drop = FALSE]
    new <- tau2
    new[free] <- pmax(tau2[free] - solve(A, slope[free]), 0)
    moved <- max(abs(new - tau2))
    tau2 <- new
    if (moved < 1e-14) break
  }
  tau2
}

fit <- function(case) {
  d <- case$data
  count <- isTRUE(case$count)
  t <- if (is.null(d$t)) rep(1, nrow(d)) else d$t
  X <- model.matrix(case$fixed, d)
  random <- if (is.null(case$random)) list(group = "g") else case$random
  G <- lapply(random, function(by) {
    Z <- model.matrix(~ 0 + f, data.frame(f = factor(do.call(paste, d[by]))))
    tcrossprod(Z)
  })
  pooled <- if (count) {
    glm.fit(X, d$y, family = poisson(), offset = log(t), control = list(epsilon = 1e-15, maxit = 100))
  } else {
    glm.fit(X, d$y, family = binomial(), control = list(epsilon = 1e-15, maxit = 100))
  }
  eta <- drop(X %*% pooled$coefficients)
  tau2 <- rep(if (length(G) == 1) 0 else 0.1, length(G))
  for (i in 1:300) {
    mu <- if (count) t * exp(eta) else plogis(eta)
    w <- if (count) mu else mu * (1 - mu)
    m <- list(X = X, G = G, w = w, z = eta + (d$y - mu) / w)
    tau2 <- maximise(m, tau2)
    at <- dense(m, tau2)
    new <- drop(X %*% at$beta + Reduce(`+`, Map(`*`, G, tau2)) %*% at$Pz)
    moved <- max(abs(new - eta))
    eta <- new
    if (moved < 1e-12) break
  }
  stopifnot(moved < 1e-11)
  check(m, tau2, at)
  list(m = m, tau2 = tau2, at = at, iterations = i, pooled = pooled$coefficients, terms = colnames(X))
}

check <- function(m, tau2, at) {
  if (length(tau2) == 1) {
    best <- optimise(function(v) dense(m, v)$deviance, c(0, 10), tol = 1e-10)$minimum
  } else {
    best <- optim(pmax(tau2, 0.01), function(v) dense(m, v)$deviance, method = "L-BFGS-B", lower = 0,
                  control = list(factr = 10))$par
  }
  cat("  optimise:", best, " root:", tau2, "\n")
  stopifnot(abs(best - tau2) < 1e-4, dense(m, best)$deviance >= at$deviance - 1e-9)
  inside <- tau2 > 0
  if (any(inside)) {
    numeric <- hessian(function(v) { u <- tau2; u[inside] <- v; dense(m, u)$deviance }, tau2[inside])
    exact <- second(m, at)$observed[inside, inside]
    stopifnot(max(abs(numeric - exact)) < 1e-4 * max(abs(exact)))
  }
}

# ---- small samples ---------------------------------------------------------------------------------

moments <- function(f) {
  at <- f$at
  X <- f$m$X
  VX <- at$Vi %*% X
  P <- lapply(f$m$G, function(G) -t(VX) %*% G %*% VX)
  k <- seq_along(P)
  Q <- lapply(k, function(s) lapply(k, function(t) t(VX) %*% f$m$G[[s]] %*% at$Vi %*% f$m$G[[t]] %*% VX))
  IE <- outer(k, k, Vectorize(function(s, t) {
    sum(t(at$Vi %*% f$m$G[[s]]) * (at$Vi %*% f$m$G[[t]])) - 2 * sum(at$Phi * Q[[s]][[t]]) +
      sum(t(at$Phi %*% P[[s]]) * (at$Phi %*% P[[t]]))
  }))
  stopifnot(max(abs(IE - second(f$m, at)$expected)) < 1e-8 * max(abs(IE)))
  W <- 2 * solve(IE)
  U <- 0
  for (s in k) for (t in k) U <- U + W[s, t] * (Q[[s]][[t]] - P[[s]] %*% at$Phi %*% P[[t]])
  inside <- f$tau2 > 0
  A <- matrix(0, length(k), length(k))
  if (any(inside)) A[inside, inside] <- 2 * solve(second(f$m, at)$observed[inside, inside])
  list(P = P, W = W, A = A, adjusted = at$Phi + 2 * at$Phi %*% U %*% at$Phi)
}

satterthwaite_df <- function(f, s, l) {
  v <- drop(l %*% f$at$Phi %*% l)
  slope <- sapply(s$P, function(P) -drop(l %*% f$at$Phi %*% P %*% f$at$Phi %*% l))
  spread <- drop(slope %*% s$A %*% slope)
  if (spread > 0) 2 * v^2 / spread else Inf
}

satterthwaite_joint <- function(f, s, L) {
  e <- eigen(L %*% f$at$Phi %*% t(L), TRUE)
  q <- nrow(L)
  t2 <- drop(t(e$vectors) %*% L %*% f$at$beta)^2 / e$values
  nu <- apply(t(e$vectors) %*% L, 1, function(l) satterthwaite_df(f, s, l))
  df <- if (all(is.infinite(nu))) Inf
  else if (q == 1 || max(abs(diff(nu))) < 1e-8) mean(nu)
  else if (any(nu <= 2)) 2
  else { E <- sum(nu / (nu - 2)); 2 * E / (E - q) }
  c(statistic = mean(t2), df = df)
}

kenward_roger_joint <- function(f, s, L) {
  q <- nrow(L)
  Phi <- f$at$Phi
  Theta <- t(L) %*% solve(L %*% Phi %*% t(L), L)
  TP <- lapply(s$P, function(P) Theta %*% Phi %*% P %*% Phi)
  A1 <- A2 <- 0
  for (i in seq_along(TP)) for (j in seq_along(TP)) {
    A1 <- A1 + s$W[i, j] * sum(diag(TP[[i]])) * sum(diag(TP[[j]]))
    A2 <- A2 + s$W[i, j] * sum(TP[[i]] * t(TP[[j]]))
  }
  B <- (A1 + 6 * A2) / (2 * q)
  g <- ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
  c <- c(g, q - g, q + 2 - g) / (3 * q + 2 * (1 - g))
  V <- 1 + c(c[1], -c[2], -c[3]) * B
  rho <- ((1 - A2 / q) / V[2])^2 * V[1] / V[3] / q
  df <- 4 + (q + 2) / (q * rho - 1)
  scale <- if (abs(df - 2) < 0.01) 1 else df * (1 - A2 / q) / (df - 2)
  b <- L %*% f$at$beta
  c(statistic = scale * drop(t(b) %*% solve(L %*% s$adjusted %*% t(L), b)) / q, df = df, scale = scale)
}

# ---- output ----------------------------------------------------------------------------------------

number <- function(v) ifelse(is.finite(v), sprintf("%.17g", v), "null")
array <- function(v) paste0("[", paste(number(v), collapse = ", "), "]")
words <- function(v) paste0("[", paste0('"', v, '"', collapse = ", "), "]")

answer <- function(name, case) {
  cat(name, "\n")
  write.csv(case$data, paste0(folder, name, ".csv"), row.names = FALSE, quote = FALSE)
  f <- fit(case)
  s <- moments(f)
  J <- length(unique(case$data$arm))
  p <- ncol(f$m$X)
  pairs <- t(combn(J, 2))
  pairs <- pairs[order(pairs[, 1], pairs[, 2]), , drop = FALSE]
  L <- t(apply(pairs, 1, function(ab) {
    l <- numeric(p)
    l[ab[2]] <- 1
    if (ab[1] > 1) l[ab[1]] <- -1
    l
  }))
  omnibus <- L[seq_len(J - 1), , drop = FALSE]
  single <- function(l) c(
    estimate = sum(l * f$at$beta), std_error_contrast = sqrt(drop(l %*% f$at$Phi %*% l)),
    df_satterthwaite = satterthwaite_df(f, s, l),
    std_error_kr = sqrt(drop(l %*% s$adjusted %*% l)), df_kr = kenward_roger_joint(f, s, t(l))[["df"]]
  )
  rows <- apply(L, 1, single)
  sat <- satterthwaite_joint(f, s, omnibus)
  kr <- kenward_roger_joint(f, s, omnibus)
  cat("  tau2:", f$tau2, " iterations:", f$iterations, "\n")
  fields <- c(
    sprintf('"count": %s', if (isTRUE(case$count)) "true" else "false"),
    sprintf('"random": %s', words(if (is.null(case$random)) "group" else names(case$random))),
    sprintf('"terms": %s', words(f$terms)),
    sprintf('"tau2": %s', array(f$tau2)),
    sprintf('"pooled": %s', array(f$pooled)),
    sprintf('"beta": %s', array(f$at$beta)),
    sprintf('"std_error": %s', array(sqrt(diag(f$at$Phi)))),
    sprintf('"contrasts": %s', words(paste(LETTERS[pairs[, 2]], "-", LETTERS[pairs[, 1]]))),
    sprintf('"%s": %s', rownames(rows), apply(rows, 1, array)),
    sprintf('"satterthwaite_joint": %s', array(sat)),
    sprintf('"kenward_roger_joint": %s', array(kr))
  )
  paste0('  "', name, '": {\n    ', paste(fields, collapse = ",\n    "), "\n  }")
}

parts <- mapply(answer, names(cases), cases)
version <- sprintf('  "versions": {"R": "%s"}', getRversion())
writeLines(c("{", paste(c(version, parts), collapse = ",\n"), "}"), "tests/reference/events/pseudo.json")
print(sessionInfo())
