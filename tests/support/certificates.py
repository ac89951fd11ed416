"""Certificates for the tests, made on the spot."""

import os
import subprocess


def certificate(folder, name):
    """A self-signed certificate for the name: chain and key in one PEM file."""
    path = os.path.join(folder, f"{name}.pem")
    key = path + ".key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", path],
                   check=True, capture_output=True)
    with open(path, "a", encoding="ascii") as both, open(key, encoding="ascii") as private:
        both.write(private.read())
    return path
