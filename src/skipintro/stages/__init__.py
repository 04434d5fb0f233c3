"""The stages of `dvc.yaml`: one module a stage, each with its params class and `main(params)`."""
