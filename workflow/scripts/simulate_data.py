"""Draw a dataset from its `simulate` block, and keep the true effects beside it."""

from itertools import combinations

from job import logged, write_json, write_table

from groupwise.data.simulate import Recipe, simulate, truth


def run(settings, roles, reference):
    """The simulated table and the truth; contrasts as in the results, reference first."""
    recipe = Recipe.from_settings(settings)
    named = ("outcome", "treatment", "group", "period", "individual")
    table = simulate(recipe, **{role: roles[role] for role in named if roles.get(role)})
    arms = [reference] + [arm for arm in recipe.arms if arm != reference]
    return table, truth(recipe, [(b, a) for a, b in combinations(arms, 2)])


if __name__ == "__main__":
    with logged(snakemake, file=snakemake.params.config_file, dataset=snakemake.wildcards.dataset):
        table, true_values = run(
            snakemake.params.simulate, snakemake.params.roles, snakemake.params.reference
        )
        write_table(snakemake.output.data, table)
        write_json(snakemake.output.truth, true_values)
