"""Draw a dataset from its `simulate` block, and keep the true effects beside it."""

from itertools import combinations

from job import logged, write_json, write_table

from groupwise.data.simulate import Recipe, simulate, truth


def run(settings, roles, reference, effect_as=None):
    """The simulated table and the truth; contrasts as in the results, reference first."""
    recipe = Recipe.from_settings(settings)
    named = ("outcome", "treatment", "group", "period", "individual", "exposure")
    table = simulate(recipe, **{role: roles[role] for role in named if roles.get(role)})
    arms = [reference] + [arm for arm in recipe.arms if arm != reference]
    return table, truth(recipe, [(b, a) for a, b in combinations(arms, 2)], effect_as)


if __name__ == "__main__":
    with logged(snakemake, file=snakemake.params.config_file, dataset=snakemake.wildcards.dataset):
        params = snakemake.params
        table, true_values = run(params.simulate, params.roles, params.reference, params.effect_as)
        write_table(snakemake.output.data, table)
        write_json(snakemake.output.truth, true_values)
