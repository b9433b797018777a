# Small synthetic experiments for the reference values, each with one difficulty.
# Run from the repository's root: Rscript tests/reference/make_data.R

folder <- "tests/reference/data"
dir.create(folder, showWarnings = FALSE)
RNGversion("4.0.0")

write_table <- function(table, name) {
  path <- file.path(folder, name)
  connection <- file(path, open = "wb") # LF on every system
  on.exit(close(connection))
  write.csv(table, connection, row.names = FALSE, quote = FALSE, eol = "\n")
  message(path, ": ", nrow(table), " rows")
}

# One row per member: group g has sizes[g] members and the treatment arm[g].
draw <- function(labels, arm, sizes, mean, sd_group, sd_residual) {
  group <- rep(seq_along(sizes), sizes)
  noise <- rnorm(length(sizes), sd = sd_group)[group] + rnorm(length(group), sd = sd_residual)
  data.frame(group = labels[group], arm = arm[group], y = mean[group] + noise)
}

# Unequal groups, three arms, and an individual-level covariate that differs between groups.
make_unbalanced <- function() {
  set.seed(20240601)
  sizes <- c(4, 40, 7, 12, 31, 5, 18, 9, 26, 15, 6, 22, 11, 35)
  arm <- sample(rep(c("A", "B", "C"), c(5, 5, 4)))
  shift <- c(A = 0, B = 3, C = 1)[arm]
  table <- draw(sprintf("clinic%02d", seq_along(sizes)), arm, sizes, 50 + shift, 3, 6)
  clinic <- match(table$group, unique(table$group))
  x <- 40 + rnorm(length(sizes), sd = 4)[clinic] + rnorm(nrow(table), sd = 9)
  data.frame(
    clinic = table$group, arm = table$arm, x = round(x, 2),
    y = round(table$y + 0.25 * (x - 40), 3)
  )
}

# No group effect at all: the seed is one for which the REML variance estimate is exactly 0.
make_boundary <- function() {
  set.seed(1)
  sizes <- c(6, 14, 9, 11, 8, 12, 7, 13, 10, 10, 9, 11)
  arm <- sample(rep(c("control", "treated"), each = 6))
  mean <- 20 + 1.5 * (arm == "treated")
  table <- draw(sprintf("region%02d", seq_along(sizes)), arm, sizes, mean, 0, 5)
  data.frame(region = table$group, arm = table$arm, y = round(table$y, 3))
}

# Six sites; two to four wards an arm in each, so that block sizes and shares differ.
make_blocked <- function() {
  set.seed(11)
  per_arm <- list(c(2, 3), c(3, 3), c(2, 2), c(4, 3), c(2, 4), c(3, 2))
  site <- rep(seq_along(per_arm), vapply(per_arm, sum, 1))
  arm <- unlist(lapply(per_arm, function(n) sample(rep(c("usual", "new"), n))))
  sizes <- sample(8:20, length(site), replace = TRUE)
  mean <- 100 + rnorm(length(per_arm), sd = 6)[site] + 4 * (arm == "new")
  labels <- sprintf("ward%02d", seq_along(site))
  table <- draw(labels, arm, sizes, mean, 4, 10)
  data.frame(
    site = sprintf("site%d", site[match(table$group, labels)]), ward = table$group,
    arm = table$arm, y = round(table$y, 3)
  )
}

boundary <- make_boundary()
stopifnot(lme4::isSingular(lme4::lmer(y ~ arm + (1 | region), boundary)))

write_table(make_unbalanced(), "unbalanced.csv")
write_table(boundary, "boundary.csv")
write_table(make_blocked(), "blocked.csv")
