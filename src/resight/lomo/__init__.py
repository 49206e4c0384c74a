"""The classical descriptor LOMO: Retinex, HSV, SILTP."""
