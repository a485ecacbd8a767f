"""The table of recipes over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.dependencies import known_parameters_only
from app.api.schemas import RecipeList, RecipeView
from app.problems.openapi import problems
from models.gan.recipes import RECIPES, recipe

router = APIRouter(
    prefix="/recipes",
    tags=["recipes"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422),
)


@router.get("", summary="All recipes", operation_id="list_recipes")
async def list_recipes() -> RecipeList:
    """Every recipe with its paper, its numbers and how far an order may change them."""
    return RecipeList(recipes=[RecipeView(**row.describe()) for row in RECIPES.values()])


@router.get("/{name}", summary="One recipe", operation_id="get_recipe", responses=problems(404))
async def get_recipe(name: Annotated[str, Path(examples=["dcgan"])]) -> RecipeView:
    """One row of the table."""
    return RecipeView(**recipe(name).describe())
