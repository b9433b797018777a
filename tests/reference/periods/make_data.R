# Small synthetic experiments in which the treatment goes with time, for periods.R.
# Run from the repository's root: Rscript tests/reference/periods/make_data.R
# data/stepped_wedge_null.csv is not made here: it is a copy of a given file.

folder <- "tests/reference/periods/data"
dir.create(folder, showWarnings = FALSE)
RNGversion("4.0.0")

write_table <- function(table, name) {
  connection <- file(file.path(folder, name), open = "wb") # LF on every system
  on.exit(close(connection))
  write.csv(table, connection, row.names = FALSE, quote = FALSE, eol = "\n")
  message(name, ": ", nrow(table), " rows")
}

ids <- function(prefix, i, width = 2) sprintf(paste0("%s%0", width, "d"), prefix, i)

# First treated period of each cluster -> arms, one row a cluster.
switching <- function(first, periods) {
  arms <- outer(first, seq_len(periods), "<=")
  matrix(ifelse(arms, "treatment", "control"), nrow(arms))
}

# Effects of cluster and cell: sd^2 decay^|t - s| within a cluster, plus a sd of cells.
cell_effects <- function(clusters, periods, sd, decay, sd_cell) {
  V <- sd^2 * decay^abs(outer(seq_len(periods), seq_len(periods), "-"))
  U <- matrix(rnorm(clusters * periods), clusters) %*% chol(V + diag(1e-12, periods))
  U + matrix(rnorm(clusters * periods, sd = sd_cell), clusters)
}

# One row per measurement; a cell of size 0 has none. `mean`: matrix of the cells' means.
draw <- function(arms, sizes, mean, sd) {
  cells <- expand.grid(period = seq_len(ncol(arms)), cluster = seq_len(nrow(arms)))
  at <- cbind(cells$cluster, cells$period)
  rows <- rep(seq_len(nrow(cells)), sizes[at])
  data.frame(
    cluster = ids("c", cells$cluster[rows]), period = cells$period[rows], arm = arms[at][rows],
    y = mean[at][rows] + rnorm(length(rows), sd = sd)
  )
}

rounded <- function(table) {
  for (name in intersect(c("y", "x"), names(table))) table[[name]] <- round(table[[name]], 3)
  table
}

sample_sizes <- function(arms, from, to) {
  matrix(sample(from:to, length(arms), replace = TRUE), nrow(arms))
}

trend <- function(values, clusters) matrix(values, clusters, length(values), byrow = TRUE)

# 9 clusters, 3 sequences, 4 periods, no cell empty; the order of the clusters is random.
make_sw_complete <- function() {
  set.seed(105)
  arms <- switching(sample(rep(2:4, each = 3)), 4)
  sizes <- sample_sizes(arms, 3, 15)
  mean <- 50 + trend(c(0, 2.5, 1, 3), 9) + 2 * (arms == "treatment") +
    cell_effects(9, 4, 2.5, 1, 1.5)
  rounded(draw(arms, sizes, mean, 5))
}

# 10 clusters, 5 sequences, 6 periods. Sequence k is in control up to period k, in transition in
# k + 1 (no rows), treated from k + 2: the last sequence is never treated. Two more cells are empty,
# one before the transition, one amid treated periods.
make_sw_incomplete <- function() {
  set.seed(207)
  sequence <- sample(rep(1:5, each = 2))
  arms <- switching(sequence + 1, 6)
  sizes <- sample_sizes(arms, 4, 12)
  sizes[cbind(1:10, sequence + 1)] <- 0
  sizes[which(sequence == 4)[1], 2] <- 0
  sizes[which(sequence == 1)[2], 5] <- 0
  mean <- 20 + trend(c(0, 1, 1.5, 1, 2.5, 4), 10) + 1.5 * (arms == "treatment") +
    cell_effects(10, 6, 2, 0.8, 1)
  table <- draw(arms, sizes, mean, 4)
  x <- rnorm(10, sd = 3)[match(table$cluster, ids("c", 1:10))] + 0.5 * table$period +
    rnorm(nrow(table), sd = 8)
  table$x <- 40 + x
  table$y <- table$y + 0.15 * x
  rounded(table)
}

# 8 clusters, 4 sequences, 5 periods; persons come and go, each measured in 1 to 5 periods.
make_sw_open_cohort <- function() {
  set.seed(303)
  arms <- switching(sample(rep(2:5, each = 2)), 5)
  effect <- cell_effects(8, 5, 2, 0.7, 0)
  persons <- sample(9:14, 8, replace = TRUE)
  cluster <- rep(1:8, persons)
  entry <- sample(1:5, length(cluster), replace = TRUE, prob = c(4, 1, 1, 1, 1))
  last <- pmin(5, entry + sample(0:4, length(cluster), replace = TRUE))
  person <- rep(seq_along(cluster), last - entry + 1)
  period <- sequence(last - entry + 1, from = entry)
  at <- cbind(cluster[person], period)
  y <- 30 + c(0, 1, 3, 2, 2.5)[period] + 2 * (arms[at] == "treatment") + effect[at] +
    rnorm(length(cluster), sd = 4)[person] + rnorm(length(person), sd = 3)
  table <- data.frame(
    cluster = ids("c", cluster[person]), period = period, arm = arms[at], y = y,
    person = ids("p", person, 3)
  )
  rounded(table[order(table$cluster, table$period), ])
}

two_orders <- function(clusters) {
  first <- sample(rep(c(TRUE, FALSE), each = clusters / 2))
  arms <- cbind(first, !first)
  matrix(ifelse(arms, "treatment", "control"), clusters)
}

# 10 clusters, 2 periods: control then treatment, or the reverse.
make_crxo <- function(seed, sd_cell) {
  set.seed(seed)
  arms <- two_orders(10)
  sizes <- sample_sizes(arms, 4, 18)
  mean <- 70 + trend(c(0, -1.5), 10) + 2 * (arms == "treatment") +
    cell_effects(10, 2, 2, 1, sd_cell)
  rounded(draw(arms, sizes, mean, 5))
}

# 9 clusters, 3 periods, three arms in the orders of a Latin square; one cell is empty.
make_crxo3 <- function() {
  set.seed(505)
  orders <- rbind(c("A", "B", "C"), c("B", "C", "A"), c("C", "A", "B"))
  arms <- orders[sample(rep(1:3, each = 3)), ]
  sizes <- sample_sizes(arms, 3, 12)
  sizes[6, 2] <- 0
  mean <- 10 + trend(c(0, 1, -0.5), 9) + c(A = 0, B = 1.5, C = 2.5)[arms] +
    cell_effects(9, 3, 1.5, 0.9, 0.8)
  rounded(draw(arms, sizes, mean, 3))
}

# 12 clusters, all in control in period 1, half treated in period 2; the same persons twice, five of
# them without the second measurement.
make_baseline <- function() {
  set.seed(606)
  arms <- switching(sample(rep(2:3, each = 6)), 2)
  effect <- cell_effects(12, 2, 2, 1, 1)
  cluster <- rep(1:12, sample(6:10, 12, replace = TRUE))
  person <- rep(seq_along(cluster), each = 2)
  period <- rep(1:2, length(cluster))
  at <- cbind(cluster[person], period)
  y <- 40 + 2 * (period == 2) + 2.5 * (arms[at] == "treatment") + effect[at] +
    rnorm(length(cluster), sd = 4)[person] + rnorm(length(person), sd = 3)
  table <- data.frame(
    cluster = ids("c", cluster[person]), period = period, arm = arms[at], y = y,
    person = ids("p", person, 3)
  )
  lost <- sample(which(table$period == 2), 5)
  table <- table[-lost, ]
  rounded(table[order(table$cluster, table$period), ])
}

# 24 patients, 3 periods, arms A, B, C in all six orders, one row a visit; four visits are missing.
make_crossover <- function(seed = 707) {
  set.seed(seed)
  orders <- rbind(
    c("A", "B", "C"), c("A", "C", "B"), c("B", "A", "C"),
    c("B", "C", "A"), c("C", "A", "B"), c("C", "B", "A")
  )
  arms <- orders[sample(rep(1:6, each = 4)), ]
  sizes <- matrix(1, 24, 3)
  sizes[sample(length(sizes), 4)] <- 0
  mean <- 120 + trend(c(0, -2, -3), 24) + c(A = 0, B = -3, C = -5)[arms] +
    cell_effects(24, 3, 8, 0.6, 0)
  table <- draw(arms, sizes, mean, 3)
  names(table)[1] <- "patient"
  table$patient <- sub("^c", "p", table$patient)
  rounded(table)
}

if (sys.nframe() == 0) {
  write_table(make_sw_complete(), "sw_complete.csv")
  write_table(make_sw_incomplete(), "sw_incomplete.csv")
  write_table(make_sw_open_cohort(), "sw_open_cohort.csv")
  write_table(make_crxo(404, sd_cell = 1.5), "crxo.csv")
  write_table(make_crxo3(), "crxo3.csv")
  write_table(make_baseline(), "baseline.csv")
  write_table(make_crossover(), "crossover.csv")
  # a seed for which the REML variance of the cells is exactly 0
  write_table(make_crxo(808, sd_cell = 0), "boundary.csv")
}
