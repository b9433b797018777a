# What lm, clubSandwich, lme4, lmerTest, pbkrtest and emmeans make of one experiment, as JSON.
#   Rscript tests/reference/live.R data.csv "y ~ arm + x" "(1 | g)" > answers.json
# The CSV has columns g (group), arm, y and what the formulas name; arms in the order of their names.
# Rows: every pair of arms by every method, and marginal means by Kenward-Roger.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
  library(emmeans)
  library(clubSandwich)
})
options(digits = 17, warn = -1)
emm_options(pbkrtest.limit = Inf, lmerTest.limit = Inf)
invisible(Sys.setlocale("LC_COLLATE", "C"))

args <- commandArgs(TRUE)
d <- read.csv(args[1], stringsAsFactors = TRUE)
for (name in intersect(c("g", "b", "s"), names(d))) d[[name]] <- factor(d[[name]])
fixed <- as.formula(args[2])
mixed <- as.formula(paste(args[2], "+", args[3]))
tight <- lmerControl(
  optimizer = "nloptwrap", calc.derivs = FALSE, check.conv.singular = "ignore",
  optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)
)

rows <- list()
add <- function(method, contrast, estimate, se, df, p) {
  rows[[length(rows) + 1]] <<- sprintf(
    '{"method": "%s", "contrast": "%s", "estimate": %.17g, "std_error": %.17g, "df": %s, "p_value": %.17g}',
    method, contrast, estimate, se, if (is.finite(df)) sprintf("%.17g", df) else "null", p
  )
}

ols <- lm(fixed, d)
fit <- lmerTest::lmer(mixed, d, control = tight)
arms <- levels(d$arm)
p <- length(fixef(fit))
adjusted <- vcovAdj(fit)
clusters <- d$g
robust <- lapply(c(ols_cr1 = "CR1S", ols_cr2 = "CR2", ols_cr3 = "CR3"), function(type) {
  vcovCR(ols, cluster = clusters, type = type)
})

for (a in seq_along(arms)) for (b in seq_along(arms)) if (a < b) {
  L <- numeric(p)
  at <- function(j) match(paste0("arm", arms[j]), names(fixef(fit)))
  L[at(b)] <- 1
  if (a > 1) L[at(a)] <- -1
  contrast <- paste(arms[b], "-", arms[a])

  estimate <- sum(L * coef(ols))
  se <- sqrt(drop(L %*% vcov(ols) %*% L))
  add("ols_classical", contrast, estimate, se, df.residual(ols),
      2 * pt(-abs(estimate / se), df.residual(ols)))
  for (name in names(robust)) {
    se <- sqrt(drop(L %*% robust[[name]] %*% L))
    df <- nlevels(clusters) - 1
    if (name == "ols_cr2") {
      df <- linear_contrast(ols, robust[[name]], contrasts = matrix(L, 1), test = "Satterthwaite")$df
    }
    add(name, contrast, estimate, se, df, 2 * pt(-abs(estimate / se), df))
  }

  s <- contest1D(fit, L)
  add("mixed_satterthwaite", contrast, s$Estimate, s[["Std. Error"]], s$df, s[["Pr(>|t|)"]])
  add("mixed_wald", contrast, s$Estimate, s[["Std. Error"]], Inf,
      2 * pnorm(-abs(s$Estimate / s[["Std. Error"]])))
  df <- Lb_ddf(L, vcov(fit), adjusted)
  se <- sqrt(drop(L %*% as.matrix(adjusted) %*% L))
  add("mixed_kenward_roger", contrast, s$Estimate, se, df, 2 * pt(-abs(s$Estimate / se), df))
}

means <- as.data.frame(emmeans(fit, "arm", lmer.df = "kenward-roger"))
for (i in seq_len(nrow(means))) {
  m <- means[i, ]
  add("mean", as.character(m$arm), m$emmean, m$SE, m$df, 2 * pt(-abs(m$emmean / m$SE), m$df))
}
cat("[", paste(rows, collapse = ",\n"), "]\n", sep = "")
