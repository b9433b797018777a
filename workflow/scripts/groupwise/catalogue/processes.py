"""What outcomes are simulated from, in words."""

PROCESSES = {
    "normal": "outcomes are as the mixed model has them",
    "t_residuals": "residuals have heavy tails (t with 3 degrees of freedom)",
    "t_groups": "group effects have heavy tails (t with 3 degrees of freedom)",
    "skewed_groups": "group effects are skewed (exponential)",
    "unequal_variance": "arms differ in spread (by a factor of 2 in standard deviation)",
    "varying_effects": "the effect differs between groups (standard deviation .3 of the outcome's)",
    "informative_sizes": "group effects go with group sizes (correlation .7)",
    "lasting_groups": "groups differ in the same way in all periods (cluster autocorrelation 1)",
    "changing_groups": "half of what groups differ in changes with each period (autocorrelation .5)",
    "beta_binomial": "risks of groups have a beta distribution, or rates a gamma distribution",
    "rare_events": "events are rare (a fifth of those there are)",
    "unequal_sizes": "groups differ in size (coefficient of variation .8)",
    "decay": "what groups differ in changes gradually (correlation falls with the time between periods)",
}
"""Processes of the simulations, as the end of a sentence that begins with "if"."""
