"""What a study claims, and what it published, as one family of claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.builtin.roles_needed import ANY
from clipeval.claims.checks import as_published
from clipeval.claims.claim import Claim, Role, Source, Tolerance
from clipeval.claims.family import Case, cases_for
from clipeval.claims.roles import role_of
from clipeval.claims.selection import is_selected
from clipeval.data.dataset import Dataset
from clipeval.studies.measures import measured
from clipeval.studies.preset import Figure, Preset


def roles_of(preset: Preset, specs: Mapping[str, str], *, twin: bool) -> dict[str, Role]:
    """Say what each model is taken for; a twin of a joint encoder takes the part of a joint encoder.

    Parameters
    ----------
    preset : Preset
    specs : mapping of str to str
        Spec of each model that took part, by key.
    twin : bool
        Whether they are twins.

    Returns
    -------
    dict of str to Role
        By spec.
    """
    roles = {}
    for model in preset.models:
        if model.key in specs:
            spec = specs[model.key]
            found = role_of(spec)
            plays = role_of(model.spec) if model.spec else Role.JOINT
            acts = twin and found is Role.NAMED_BRIDGE and plays is Role.JOINT
            roles[spec] = Role.JOINT if acts else found
    return roles


def cases_of(
    preset: Preset, specs: Mapping[str, str], roles: Mapping[str, Role], *, twin: bool
) -> tuple[Case, ...]:
    """List what is judged: the study's relations between models, and its figures.

    A twin's figures are nobody's: only relations are judged.

    Parameters
    ----------
    preset, specs, twin
        See `roles_of`.
    roles : mapping of str to Role
        From there.

    Returns
    -------
    tuple of Case
    """
    relations = [claim for claim in BUILTIN if is_selected(claim.id, ",".join(preset.claims))]
    cases = cases_for(relations, roles) if preset.claims else ()
    if twin:
        return cases
    figures = [figure for figure in preset.figures if figure.model in specs]
    return (*cases, *(Case(figure_claim(preset, figure), (specs[figure.model],)) for figure in figures))


def figure_claim(preset: Preset, figure: Figure) -> Claim:
    """Make the claim that a published figure is reproduced, on the study's own data only.

    Parameters
    ----------
    preset : Preset
    figure : Figure
        Of this study.

    Returns
    -------
    Claim
        Of the class "other stack".
    """
    words = figure.measure.lower().replace(" ", "-")
    published = f"{figure.low:g}" if figure.low == figure.high else f"{figure.low:g} to {figure.high:g}"
    return Claim(
        id=f"figure/{preset.number.lower()}/{figure.model}/{words}",
        statement=f"'{figure.measure}' of {figure.model} is {published}, as the study published.",
        source=Source("study", f"{preset.number}, {preset.name}"),
        roles=(ANY,),
        tolerance=Tolerance.OTHER_STACK,
        check=as_published(
            partial(measured, figure.measure),
            words=figure.measure,
            low=figure.low,
            high=figure.high,
            tolerance=figure.tolerance,
        ),
        requires=own_data(preset),
    )


def own_data(preset: Preset) -> Callable[[Dataset], str]:
    """Ask for the study's own data, known by what a dataset says of itself.

    Parameters
    ----------
    preset : Preset

    Returns
    -------
    callable
        Gives the reason why these are other data, or an empty string.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> from clipeval.studies.catalogue import find_preset
    >>> own_data(find_preset("S4"))(load_dataset("embedded"))
    "the figure is for the study's own pictures; are these they? name them 'text-to-image-retrieval'"
    """

    def reason(dataset: Dataset) -> str:
        sized = preset.pictures in {None, dataset.n_images}
        sorted_alike = not preset.categories or preset.categories == set(dataset.categories)
        if sized and sorted_alike and preset.name in dataset.name.lower():
            return ""
        return f"the figure is for the study's own pictures; are these they? name them '{preset.name}'"

    return reason
