"""Recipes over HTTP."""

from typing import Annotated

from fastapi import Depends, Path

from app.api.dependencies import known_parameters_only
from app.api.routing import Router
from app.api.schemas import RecipeList, RecipeView
from app.problems.openapi import problems
from models.gan.recipes import RECIPES, recipe

router = Router(
    prefix="/recipes",
    tags=["recipes"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422),
)


@router.get("", summary="All recipes", operation_id="list_recipes")
async def list_recipes() -> RecipeList:
    """All recipes with their papers, hyperparameters and the limits of overrides."""
    return RecipeList(recipes=[RecipeView(**row.describe()) for row in RECIPES.values()])


@router.get("/{name}", summary="One recipe", operation_id="get_recipe", responses=problems(404))
async def get_recipe(name: Annotated[str, Path(examples=["dcgan"])]) -> RecipeView:
    """A recipe with its hyperparameters and their limits."""
    return RecipeView(**recipe(name).describe())
