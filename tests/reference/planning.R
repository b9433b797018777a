# Reference values for power: tests/reference/planning.json. Run from the repository's root:
#   Rscript tests/reference/planning.R > tests/reference/planning.out 2>&1
#
# Groups of one size m are each one observation with variance s2 (1 + (m - 1) icc) / m, so that R's
# power of t and F tests answers for groups: power.t.test with strict = TRUE (both tails), two samples
# and paired (matched pairs of groups: their difference has twice that variance; or a treatment within
# groups: var of a group's difference), power.anova.test for all arms at once. `groups` are those
# R asks for, not rounded. `f` are tails of noncentral F by pf, at small and large noncentralities.

options(warn = 1)
cat(R.version.string, "\n")

number <- function(x) sprintf("%.17g", x)
row <- function(...) {
  x <- list(...)
  values <- vapply(x, function(v) if (is.character(v)) dQuote(v, FALSE) else number(v), "")
  paste0("  {", paste0(dQuote(names(x), FALSE), ": ", values, collapse = ", "), "}")
}
table_of <- function(name, rows) {
  paste0(" ", dQuote(name, FALSE), ": [\n", paste(rows, collapse = ",\n"), "\n ]")
}

grid <- expand.grid(
  groups = c(3, 5, 12, 40), size = c(5, 25), icc = c(0.02, 0.25), effect = c(1, 4), level = c(0.05, 0.01)
)
sd <- 10
mean_sd <- function(size, icc) sd * sqrt((1 + (size - 1) * icc) / size)

two_sample <- with(grid, mapply(function(groups, size, icc, effect, level) {
  found <- power.t.test(
    n = groups, delta = effect, sd = mean_sd(size, icc), sig.level = level, strict = TRUE
  )
  row(groups = groups, size = size, icc = icc, effect = effect, level = level, power = found$power)
}, groups, size, icc, effect, level))

pairs <- with(grid, mapply(function(groups, size, icc, effect, level) {
  found <- power.t.test(
    n = groups, delta = effect, sd = sqrt(2) * mean_sd(size, icc), sig.level = level,
    type = "paired", strict = TRUE
  )
  row(groups = groups, size = size, icc = icc, effect = effect, level = level, power = found$power)
}, groups, size, icc, effect, level))

effects_vary <- with(expand.grid(groups = c(4, 9, 30), sd_effect = c(1, 5), effect = c(2, 5)), mapply(
  function(groups, sd_effect, effect) {
    found <- power.t.test(
      n = groups, delta = effect, sd = sqrt(sd_effect^2 + 2 * sd^2 * (1 - 0.3) / 10),
      type = "paired", strict = TRUE
    )
    row(groups = groups, sd_effect = sd_effect, effect = effect, power = found$power)
  }, groups, sd_effect, effect
))

anova <- with(grid, mapply(function(groups, size, icc, effect, level) {
  found <- power.anova.test(
    groups = 4, n = groups, between.var = var(c(0, effect, effect / 2, -effect)),
    within.var = mean_sd(size, icc)^2, sig.level = level
  )
  row(groups = groups, size = size, icc = icc, effect = effect, level = level, power = found$power)
}, groups, size, icc, effect, level))

needed <- with(expand.grid(size = c(5, 20), icc = c(0.05, 0.3), effect = c(3, 6), power = c(.8, .9)), mapply(
  function(size, icc, effect, power) {
    found <- power.t.test(
      delta = effect, sd = mean_sd(size, icc), power = power, strict = TRUE, tol = 1e-10
    )
    row(size = size, icc = icc, effect = effect, power = power, groups = found$n)
  }, size, icc, effect, power
))

f <- with(expand.grid(q = c(1, 2, 6), df = c(2, 7.3, 60), ncp = c(0, 0.5, 10, 400, 9000)), mapply(
  function(q, df, ncp) {
    x <- (1 + ncp / q) * 1.3
    row(f = x, q = q, df = df, ncp = ncp, tail = pf(x, q, df, ncp, lower.tail = FALSE))
  }, q, df, ncp
))

text <- c(
  "{",
  paste(c(
    paste0(" \"R\": ", dQuote(paste(R.version$major, R.version$minor, sep = "."), FALSE)),
    table_of("two_sample", two_sample), table_of("pairs", pairs),
    table_of("effects_vary", effects_vary), table_of("anova", anova),
    table_of("needed", needed), table_of("f", f)
  ), collapse = ",\n"),
  "}"
)
writeLines(text, "tests/reference/planning.json")
