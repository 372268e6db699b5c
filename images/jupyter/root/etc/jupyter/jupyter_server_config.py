# JupyterLab in a container: reachable from outside it on port 8888, and only for who has the token or the password.
# They are given at start, best as a file (a Docker or Kubernetes secret), and never in the image:
#
#   JUPYTER_PASSWORD_HASH_FILE, JUPYTER_PASSWORD_HASH   argon2, from `jupyter server password`
#   JUPYTER_TOKEN_FILE, JUPYTER_TOKEN
#
# Without any a token is made up and kept in a file that only this user can read.
import os
import pathlib
import secrets
import sys

c = get_config()  # noqa: F821

c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = False
c.ServerApp.allow_unauthenticated_access = False
c.ServerApp.disable_check_xsrf = False
c.ServerApp.allow_origin = ""
c.PasswordIdentityProvider.allow_password_change = False


def given(name: str) -> str | None:
    """A secret from its file or its variable. Neither stays in the environment, which kernels and terminals inherit."""
    value, file = os.environ.pop(name, None), os.environ.pop(name + "_FILE", None)
    if file is not None:
        try:
            value = pathlib.Path(file).read_text().strip()
        except OSError as error:
            sys.exit(f"jupyter: {name}_FILE: {error}")
    if value is not None and not value.strip():
        sys.exit(f"jupyter: {name}{'_FILE' if file else ''} is empty; everybody could enter")
    return value


def made_up_token() -> str:
    token = secrets.token_hex(24)
    file = pathlib.Path.home() / ".local/share/kiln/jupyter-token"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(token + "\n")
    print(f"jupyter: no token was given; the one made up, {token[:4]}…, is in {file}\n"
          f"jupyter: read it with  docker exec CONTAINER cat {file}", file=sys.stderr)  # fmt: skip
    return token


password, token = given("JUPYTER_PASSWORD_HASH"), given("JUPYTER_TOKEN")
if password is not None:
    if not password.startswith("argon2:"):
        sys.exit("jupyter: JUPYTER_PASSWORD_HASH is no argon2 hash; `jupyter server password` makes one")
    c.PasswordIdentityProvider.hashed_password = password
    c.PasswordIdentityProvider.password_required = True
else:
    c.IdentityProvider.token = token or made_up_token()
