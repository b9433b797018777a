# The examples with events: pooled regression with CR2, and mixed models by adaptive quadrature.
#   Rscript tests/reference/events/examples.R > tests/reference/events/examples.out 2>&1
# from the repository's root. It reads data/raw and writes examples.json.

suppressPackageStartupMessages({library(lme4); library(clubSandwich); library(jsonlite)})
options(digits = 12, warn = 1)

pups <- read.csv("data/raw/rat_pups.csv")
pups$y <- as.integer(pups$survived == "yes")
pups$treated <- as.integer(pups$diet == "chemical")
patients <- read.csv("data/raw/interferon.csv")
patients$treated <- as.integer(patients$treatment == "interferon")

of <- function(pooled, mixed, cluster) {
  cr2 <- coef_test(pooled, vcov = "CR2", cluster = cluster, test = "Satterthwaite")["treated", ]
  glmm <- coef(summary(mixed))["treated", ]
  print(summary(pooled)); print(cr2); print(summary(mixed))
  list(
    glm_wald = list(estimate = coef(pooled)[["treated"]],
                    std_error = sqrt(vcov(pooled)["treated", "treated"])),
    glm_cr2 = list(estimate = cr2$beta, std_error = cr2$SE, df = cr2$df_Satt),
    glmm_likelihood = list(estimate = glmm[["Estimate"]], std_error = glmm[["Std. Error"]],
                           sd_group = attr(VarCorr(mixed)[[1]], "stddev")[[1]])
  )
}

# Standard errors of glm are those of the step before the last.
exact <- glm.control(epsilon = 1e-15, maxit = 100)
control <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
answers <- list(
  rat_pups = of(
    glm(y ~ treated, binomial, pups, control = exact),
    glmer(y ~ treated + (1 | litter), pups, binomial, nAGQ = 25, control = control), pups$litter),
  interferon = of(
    glm(infections ~ treated + offset(log(days)), poisson, patients, control = exact),
    glmer(infections ~ treated + (1 | center), patients, poisson, offset = log(days), nAGQ = 25,
          control = control), patients$center)
)
versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")),
                 clubSandwich = as.character(packageVersion("clubSandwich")))
write_json(c(list(versions = versions), answers), "tests/reference/events/examples.json",
           auto_unbox = TRUE, digits = NA, pretty = TRUE)
sessionInfo()$R.version$version.string
