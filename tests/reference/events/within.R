# Dummies for groups and conditional logistic regression of events, in R.
#
#   cd tests/reference/events && Rscript within.R > within.out
#
# Data are simulated with a fixed seed and written to within/. The conditional likelihood is summed over
# every set of members (utils::combn), with Newton's method on its exact moments: as it is defined, and as
# survival::clogit(method = "exact") maximises it. For two arms without covariates it is also the exact
# common odds ratio of stats::mantelhaen.test. Regressions with factor(g) are stats::glm.

set.seed(1615)
options(digits = 15, warn = 1)
folder <- "within"

group <- function(sizes) rep(seq_along(sizes), sizes)
place <- function(g) ave(seq_along(g), g, FUN = seq_along) - 1
binary <- function(eta) as.integer(runif(length(eta)) < plogis(eta))

make <- function() {
  data <- list()
  g <- group(c(6, 8, 5, 7, 4, 9, 6))
  arm <- LETTERS[1 + place(g) %% 2]
  data$two_arms <- data.frame(
    g, arm, y = binary(-0.4 + 0.9 * (arm == "B") + rnorm(7)[g]), exposure = 1
  )
  g <- group(c(9, 3, 6, 8, 5, 7, 4, 6))
  arm <- LETTERS[1 + place(g) %% 3]
  x <- round(rnorm(length(g)), 2)
  eta <- -0.2 + 0.7 * (arm == "B") - 0.5 * (arm == "C") + 0.6 * x + rnorm(8)[g]
  data$three_arms <- data.frame(g, arm, y = binary(eta), exposure = 1, x)
  g <- group(rep(2, 40))
  arm <- LETTERS[1 + place(g)]
  x <- round(rnorm(80), 1)
  data$pairs <- data.frame(
    g, arm, y = binary(0.8 * (arm == "B") + 0.5 * x + rnorm(40)[g]), exposure = 1, x
  )
  g <- group(rep(8, 6))
  t <- place(g) %% 4
  arm <- LETTERS[1 + (t > (g - 1) %% 3)]
  data$wedge <- data.frame(
    g, arm, y = binary(-0.3 + 0.8 * (arm == "B") + 0.2 * t + rnorm(6)[g]), exposure = 1, t
  )
  g <- group(c(8, 6, 7, 5, 9))
  arm <- LETTERS[1 + place(g) %% 3]
  exposure <- round(runif(length(g), 0.5, 3), 2)
  x <- round(rnorm(length(g)), 2)
  mu <- exposure * exp(0.2 + 0.5 * (arm == "B") - 0.3 * (arm == "C") + 0.3 * x + rnorm(5, 0, 0.5)[g])
  data$counts <- data.frame(g, arm, y = rpois(length(g), mu), exposure, x)
  data
}

right <- function(d) {
  terms <- "arm"
  if (!is.null(d$x)) terms <- paste(terms, "+ x")
  if (!is.null(d$t)) terms <- paste(terms, "+ factor(t)")
  terms
}

conditional <- function(d) {
  X <- model.matrix(as.formula(paste("~", right(d))), d)[, -1, drop = FALSE]
  parts <- lapply(split(seq_len(nrow(d)), d$g), function(i) {
    k <- sum(d$y[i])
    if (k == 0 || k == length(i)) return(NULL)
    S <- t(apply(combn(length(i), k), 2, function(s) colSums(X[i[s], , drop = FALSE])))
    if (ncol(X) == 1) S <- matrix(S, ncol = 1)
    list(S = S, s = colSums(X[i[d$y[i] == 1], , drop = FALSE]))
  })
  parts <- Filter(Negate(is.null), parts)
  beta <- rep(0, ncol(X))
  for (iteration in 1:50) {
    score <- rep(0, ncol(X))
    information <- matrix(0, ncol(X), ncol(X))
    for (part in parts) {
      w <- exp(part$S %*% beta)
      w <- as.vector(w / sum(w))
      mean <- colSums(w * part$S)
      centred <- sweep(part$S, 2, mean)
      score <- score + part$s - mean
      information <- information + crossprod(centred, w * centred)
    }
    step <- solve(information, score)
    beta <- beta + step
    if (max(abs(step)) < 1e-12) break
  }
  list(term = colnames(X), estimate = beta, se = sqrt(diag(solve(information))))
}

dummies <- function(d, family, robust = FALSE) {
  f <- as.formula(paste("y ~ 0 + factor(g) +", right(d), "+ offset(log(exposure))"))
  # groups without any event, or of a logit with nothing else, say nothing and have no finite parameter
  total <- ave(d$y, d$g, FUN = sum)
  size <- ave(d$y, d$g, FUN = length)
  used <- total > 0 & !(family$link == "logit" & total == size)
  fit <- glm(f, family, d[used, ], control = glm.control(epsilon = 1e-15, maxit = 100))
  V <- vcov(fit)
  if (robust) {
    Z <- model.matrix(fit) * (d$y[used] - fitted(fit)) / sqrt(1 - hatvalues(fit)) # HC2
    V <- V %*% crossprod(Z) %*% V
  }
  own <- grep("factor\\(g\\)", names(coef(fit)), invert = TRUE)
  list(term = names(coef(fit))[own], estimate = coef(fit)[own], se = sqrt(diag(V))[own])
}

report <- function(name, method, fit) {
  for (j in seq_along(fit$term)) {
    term <- sub("factor\\(t\\)", "t", sub("^arm", "", fit$term[j]))
    cat(sprintf("%s,%s,%s,%.12g,%.12g\n", name, method, term, fit$estimate[j], fit$se[j]))
  }
}

data <- make()
dir.create(folder, showWarnings = FALSE)
cat(sprintf("# %s\n", R.version.string))
cat("data,method,term,estimate,std_error\n")
for (name in names(data)) {
  d <- data[[name]]
  write.csv(d, file.path(folder, paste0(name, ".csv")), row.names = FALSE)
  if (name == "counts") {
    report(name, "poisson", dummies(d, poisson()))
    next
  }
  report(name, "conditional", conditional(d))
  report(name, "unconditional", dummies(d, binomial()))
  report(name, "modified_poisson", dummies(d, poisson(), robust = TRUE))
}
d <- data$two_arms
exact <- mantelhaen.test(table(d$arm, 1 - d$y, d$g)[c("B", "A"), , ], exact = TRUE)
cat(sprintf("two_arms,mantelhaen_exact,B,%.12g,NA\n", log(exact$estimate)))
