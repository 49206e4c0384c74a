"""The whole job on drawn pedestrians, with nobody's image: train, compare, and search in the browser."""

from resight.studies.demo.gallery import make_gallery
from resight.studies.demo.main_job import STUDENT, TEACHER, run_demo

__all__ = ["STUDENT", "TEACHER", "make_gallery", "run_demo"]
