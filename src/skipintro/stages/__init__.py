"""The stages of `dvc.yaml`: one module a stage, each with its params class and `main(params)`."""

from skipintro.core.stage import begin_stage

begin_stage()  # before a stage's module imports anything
