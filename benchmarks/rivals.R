# What other software takes, in processor seconds: Rscript rivals.R TASK [FILE]; prints `name value` lines.
task <- commandArgs(TRUE)[1]
seconds <- function(code) sum(system.time(code)[c("user.self", "sys.self")])
say <- function(...) { values <- c(...); cat(sprintf("%s %.17g\n", names(values), values), sep = "") }
read <- function() {
  d <- read.csv(commandArgs(TRUE)[2])
  d$arm <- factor(d$arm)
  d$group <- factor(d$group)
  d
}
# Every pair of three arms, or the one effect of two.
contrasts_of <- function(d, p) {
  if (nlevels(d$arm) == 2) return(rbind(replace(numeric(p), 2, 1)))
  L <- matrix(0, 3, p)
  L[1, 2] <- L[2, 3] <- L[3, 3] <- 1
  L[3, 2] <- -1
  L
}
kenward_roger <- function(fit, L) {
  adjusted <- pbkrtest::vcovAdj(fit)
  for (i in seq_len(nrow(L))) pbkrtest::Lb_ddf(L[i, ], vcov(fit), adjusted)
}

if (task == "versions") {
  for (name in commandArgs(TRUE)[-1]) cat(name, as.character(packageVersion(name)), "\n")

} else if (task == "small_sample") {  # a loop over the outcomes y1, y2, ...: lmerTest and pbkrtest
  suppressPackageStartupMessages({library(lmerTest); library(pbkrtest)})
  d <- read()
  outcomes <- grep("^y", names(d), value = TRUE)
  terms <- c("arm", intersect("x", names(d)), "(1 | group)")
  analyse <- function(name) {
    fit <- suppressMessages(lmerTest::lmer(reformulate(terms, name), d))
    L <- contrasts_of(d, length(fixef(fit)))
    for (i in seq_len(nrow(L))) contest1D(fit, L[i, ])
    kenward_roger(fit, L)
  }
  analyse(outcomes[1])  # loads what is loaded lazily
  say(each = min(replicate(3, seconds(for (name in outcomes) analyse(name)))) / length(outcomes))

} else if (task == "glmer") {  # a loop over the outcomes y1, y2, ..., of 0 and 1
  suppressPackageStartupMessages(library(lme4))
  d <- read()
  outcomes <- grep("^y", names(d), value = TRUE)
  once <- function(name) {
    formula <- reformulate(c("arm", "(1 | group)"), name)
    suppressMessages(suppressWarnings(glmer(formula, d, family = binomial, nAGQ = 1)))
  }
  once(outcomes[1])
  say(each = min(replicate(3, seconds(for (name in outcomes) once(name)))) / length(outcomes))

} else if (task == "million") {
  suppressPackageStartupMessages({library(lme4); library(pbkrtest)})
  d <- read()
  once <- function() seconds(fit <<- lmer(y1 ~ arm + x + (1 | group), d))
  say(fit = min(replicate(2, once())))
  say(kenward_roger = seconds(kenward_roger(fit, contrasts_of(d, 4))))

} else if (task == "cr2") {
  suppressPackageStartupMessages(library(clubSandwich))
  d <- read()
  fit <- lm(y1 ~ arm + x, d)
  say(each = seconds({
    V <- vcovCR(fit, cluster = d$group, type = "CR2")
    coef_test(fit, V, test = "Satterthwaite")
    Wald_test(fit, constrain_zero(2:3), V, test = "HTZ")
  }))

} else if (task == "randomization") {  # a plain loop over 10,000 assignments, scaled up to all
  set.seed(1); arm <- rep(1:3, each = 5); y <- rnorm(15); draws <- 10000
  statistic <- function(arm) {
    m <- tapply(y, arm, mean); w <- 5 / tapply(y, arm, var)
    sum(w * (m - sum(w * m) / sum(w))^2)
  }
  say(each = seconds(replicate(draws, statistic(sample(arm)))) / draws * 756756)

} else if (task == "tukey") {
  q <- seq(1, 5, length.out = 3000); df <- seq(5, 15, length.out = 3000)
  say(each = seconds(ptukey(q, 3, df)))

} else stop("unknown task: ", task)
