"""The whole job on drawn people, without an image of a real person: train, compare, and search in the browser."""

from resight.studies.demo.gallery import make_gallery
from resight.studies.demo.run import STUDENT, TEACHER, Outcome, run_demo

__all__ = ["STUDENT", "TEACHER", "Outcome", "make_gallery", "run_demo"]
