"""The stages of `dvc.yaml`: one module a stage, each with its params class and `main(params)`."""

from skipintro.core import arithmetic

arithmetic.begin_stage()  # before a stage's module imports anything
