# Reference values for each group left out: tests/reference/influence.json.
# Run from the repository's root:
#   Rscript tests/reference/influence.R > tests/reference/influence.out 2>&1
#
# For each level of the group lmer is fitted to the other rows, by REML, to tight tolerances; contrasts
# and Kenward-Roger's standard errors and df are pbkrtest's (vcovAdj, Lb_ddf), CR2 with Satterthwaite df
# is clubSandwich's on lm.

suppressPackageStartupMessages({
  library(lme4)
  library(pbkrtest)
  library(clubSandwich)
})
invisible(Sys.setlocale("LC_COLLATE", "C"))
options(warn = 1)

FOLDER <- "tests/reference"
TIGHT <- lmerControl(
  optimizer = "nloptwrap", calc.derivs = FALSE,
  optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)
)
DATASETS <- list(
  unbalanced = list(
    group = "clinic", treatment = "arm", levels = c("A", "B", "C"),
    mixed = y ~ arm + x + (1 | clinic), pooled = y ~ arm + x
  ),
  blocked = list(
    group = "ward", treatment = "arm", levels = c("usual", "new"),
    mixed = y ~ arm + site + (1 | ward), pooled = y ~ arm + site
  )
)

without <- function(about, data, level) {
  rest <- droplevels(data[data[[about$group]] != level, ])
  fit <- lmer(about$mixed, rest, control = TIGHT)
  adjusted <- as.matrix(vcovAdj(fit))
  beta <- fixef(fit)
  arms <- paste0(about$treatment, about$levels[-1])
  one <- lm(about$pooled, rest)
  robust <- coef_test(one, vcov = "CR2", cluster = rest[[about$group]], test = "Satterthwaite")
  rownames(robust) <- names(coef(one))
  lapply(setNames(arms, about$levels[-1]), function(arm) {
    L <- as.numeric(names(beta) == arm)
    list(
      n_obs = nrow(rest),
      mixed_kenward_roger = list(
        estimate = unname(beta[arm]), std_error = sqrt(drop(L %*% adjusted %*% L)),
        df = Lb_ddf(L, vcov(fit), vcovAdj(fit))
      ),
      ols_cr2 = list(
        estimate = unname(coef(one)[arm]), std_error = robust[arm, "SE"],
        df = robust[arm, if ("df_Satt" %in% names(robust)) "df_Satt" else "df"]
      )
    )
  })
}

result <- lapply(setNames(names(DATASETS), names(DATASETS)), function(name) {
  about <- DATASETS[[name]]
  data <- read.csv(file.path(FOLDER, "data", paste0(name, ".csv")), stringsAsFactors = TRUE)
  data[[about$group]] <- factor(data[[about$group]])
  data[[about$treatment]] <- factor(data[[about$treatment]], levels = about$levels)
  message(name)
  levels <- levels(data[[about$group]])
  lapply(setNames(levels, levels), function(level) without(about, data, level))
})
versions <- list(
  R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")),
  pbkrtest = as.character(packageVersion("pbkrtest")),
  clubSandwich = as.character(packageVersion("clubSandwich"))
)
text <- jsonlite::toJSON(
  c(list(versions = versions), result), auto_unbox = TRUE, digits = I(12), pretty = 2, null = "null"
)
writeLines(text, file.path(FOLDER, "influence.json"))
