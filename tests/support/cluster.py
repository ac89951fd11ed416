"""Tandem's programs and stock nginx origins, each started for real with a conf file and a folder
of its own, on ports that nobody else uses."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from network import LOCAL
from ports import free_port
from process import PATIENCE, Impatient, Process, until


def build_folder():
    """Where the programs are: TANDEM_BUILD, as ctest sets it."""
    return os.path.abspath(os.environ.get("TANDEM_BUILD", "build/dev"))


def program(name):
    return os.path.join(build_folder(), "bin", name)


def toml(sections):
    """{"key": value, "section": {...}, "list": [{...}, ...]} as TOML."""
    def value_of(value):
        return json.dumps(value)  # strings, numbers, booleans and lists look alike in both

    lines = [f"{key} = {value_of(value)}" for key, value in sections.items()
             if not isinstance(value, dict)
             and not (isinstance(value, list) and value and isinstance(value[0], dict))]
    for key, value in sections.items():
        if isinstance(value, dict):
            lines += [f"[{key}]"] + [f"{k} = {value_of(v)}" for k, v in value.items()]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for entry in value:
                lines += [f"[[{key}]]"] + [f"{k} = {value_of(v)}" for k, v in entry.items()]
    return "\n".join(lines) + "\n"


def merged(base, changes):
    """base with the sections of changes laid over it, key by key."""
    result = dict(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = {**result[key], **value}
        else:
            result[key] = value
    return result


def get(port, path, timeout=PATIENCE, host="127.0.0.1"):
    """(status, body) of a request to an admin listener; (0, b"") if nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    except http.client.HTTPException:
        return 0, b""
    finally:
        connection.close()


class Program:
    """A Tandem program: its conf file, its process, its admin listener."""

    binary = ""

    def __init__(self, folder, name, sections, host=LOCAL):
        self.name = name
        self.host = host
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.admin_port = free_port()
        self.conf_path = os.path.join(self.folder, self.binary + ".toml")
        admin = {"admin": {"listen": f"{host.address}:{self.admin_port}"}}
        self.sections = merged(sections, admin)
        self.write_conf()
        self.process = Process(name, [*host.enter, program(self.binary), "--config",
                                      self.conf_path],
                               os.path.join(self.folder, "log"), cwd=self.folder)

    def write_conf(self, changes=None):
        """Writes the conf file anew, with changes that stay."""
        self.sections = merged(self.sections, changes or {})
        with open(self.conf_path, "w", encoding="utf-8") as conf:
            conf.write(toml(self.sections))

    def start(self):
        self.process.start()
        self.wait(lambda: self.get("/healthz")[0] == 200, "be healthy")
        return self

    def wait(self, holds, what, timeout=None):
        def look():
            if not self.process.alive():
                raise Impatient(f"{self.name} ended with {self.process.child.returncode}")
            return holds()
        try:
            return until(look, f"{self.name} to {what}", timeout)
        except Impatient as error:
            raise Impatient(f"{error}\n{self.process.tail()}") from None

    def get(self, path, timeout=PATIENCE):
        return get(self.admin_port, path, timeout, self.host.address)

    def status(self):
        """GET /status, or {} while it does not answer."""
        code, body = self.get("/status", timeout=5)
        return json.loads(body) if code == 200 else {}

    def metrics(self):
        """{name or name{labels}: value} of GET /metrics."""
        _, body = self.get("/metrics")
        found = {}
        for line in body.decode().splitlines():
            match = re.match(r"^(\w+(?:\{.*\})?) (\S+)$", line)
            if match:
                found[match.group(1)] = float(match.group(2))
        return found

    def metric(self, name):
        """The sum over all labels of the metric; 0 if it has none yet."""
        return sum(value for key, value in self.metrics().items()
                   if key.split("{")[0] == name)


class Balancer(Program):
    binary = "tandem-lb"

    def __init__(self, folder, sections=None, plain=(), key_file=None, tls=(), name="lb",
                 port=None, host=LOCAL):
        """plain: [(name, address, {more keys})]; key_file: with control wire; tls: certificates."""
        self.port = port or free_port()
        at = host.address
        base = {"workers": int(os.environ.get("TANDEM_TEST_WORKERS", "1")),
                "front": {"listen": [f"{at}:{self.port}"]}}
        if tls:
            self.tls_port = free_port()
            base["front"].update(tls_listen=[f"{at}:{self.tls_port}"], certificates=list(tls))
        if key_file:
            self.control_port = free_port()
            base["control"] = {"listen": f"{at}:{self.control_port}", "key_file": key_file}
            # Tests take servers away again and again, and are not to wait for them.
            base["master"] = {"returns_free": 1000}
        if plain:
            base["check"] = {"interval": "100ms", "timeout": "2s"}
            base["server"] = self.plain_entries(plain)
        super().__init__(folder, name, merged(base, sections or {}), host)

    @staticmethod
    def plain_entries(plain):
        return [{"name": name, "address": address, **more[0]} if more
                else {"name": name, "address": address} for name, address, *more in plain]

    def servers(self):
        """{name: what /status says of it}"""
        return {server["name"]: server
                for server in self.status().get("view", {}).get("servers", [])}

    def online(self):
        """Names of the servers that it holds to be online."""
        return {name for name, server in self.servers().items() if server["online"]}

    def wait_online(self, names, timeout=None):
        self.wait(lambda: self.servers() and self.online() == set(names),
                  f"see exactly {sorted(names)} online",
                  timeout)


class Server(Program):
    binary = "tandem-server"

    def __init__(self, folder, name, balancers, key_file, source, sections=None, host=LOCAL):
        self.port, self.peer_port = free_port(), free_port()
        super().__init__(folder, name, merged({
            "name": name,
            "listen": f"{host.address}:{self.port}",
            "peer_listen": f"{host.address}:{self.peer_port}",
            "balancers": [f"{balancer.host.address}:{balancer.control_port}"
                          for balancer in balancers],
            "key_file": key_file,
            "source": {"url": source},
        }, sections or {}), host)


class Nginx:
    """A stock nginx that serves a folder, as an origin; one process, nothing shared."""

    def __init__(self, folder, name, root, server_conf="", host=LOCAL):
        self.name = name
        self.host = host
        self.port = free_port()
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.access_log = os.path.join(self.folder, "access.log")
        conf = os.path.join(self.folder, "nginx.conf")
        types = "include /etc/nginx/mime.types;" if os.path.exists("/etc/nginx/mime.types") else ""
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f"""
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 4000; }}
http {{
    {types}
    log_format plain '$request_method $request_uri $status';
    access_log access.log plain;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    keepalive_timeout 120s;
    keepalive_requests 1000000000;
    server {{
        listen {host.address}:{self.port} backlog=4096;
        root {os.path.abspath(root)};
        {server_conf}
    }}
}}
""")
        self.process = Process(name, [*host.enter, nginx_program(), "-p", self.folder, "-e",
                                      "error.log", "-c", conf],
                               os.path.join(self.folder, "log"), cwd=self.folder)

    @property
    def url(self):
        return f"http://{self.host.address}:{self.port}"

    def start(self):
        self.process.start()
        self.process.wait_listening(self.port, host=self.host.address)
        return self


def nginx_program():
    return shutil.which("nginx") or "/usr/sbin/nginx"


class Workshop:
    """A folder and the processes that live there; leaving it ends them and, unless something went
    wrong, removes the folder. On failure the ends of all logs are printed."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tandem-test-")
        os.chmod(self.folder, 0o755)  # nginx may drop to another user
        self.parts = []

    def add(self, part):
        """Ends part.process with the workshop; returns the part."""
        self.parts.append(part)
        return part

    def start(self, part):
        return self.add(part).start()

    def key(self):
        """A new cluster key, as an administrator makes one."""
        path = os.path.join(self.folder, "cluster.key")
        subprocess.run([program("tandemctl"), "keygen", path], check=True, capture_output=True,
                       timeout=PATIENCE)
        return path

    def close(self, failed=False):
        processes = [getattr(part, "process", part) for part in reversed(self.parts)]
        if failed:  # first: what follows from the killing is not of interest
            for process in processes:
                print(process.tail(), file=sys.stderr)
        for process in processes:
            process.kill()
        if not failed:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"logs are kept in {self.folder}", file=sys.stderr)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close(failed=kind is not None)


class Cluster:
    """One balancer, tandem-servers a, b, c, ... and a stock nginx behind each, all over copies of
    one site whose files differ in their modification times from origin to origin."""

    def __init__(self, shop, site, servers=4, balancer=None, server=None, nginx_conf="",
                 port=None, origins=None, each=None, hosts=None, here=LOCAL, tls=()):
        """tls: certificates of the balancer; balancer, server: changes to their conf files;
        each: {name: changes for that server}; port: the balancer's; nginx_conf: more of nginx's
        server block; origins: others instead of nginx, each with a url; hosts: {name: where the
        server and its nginx run}; here: where the balancer does."""
        self.shop = shop
        self.key = shop.key()
        self.names = [chr(ord("a") + i) for i in range(servers)]
        self.origins = dict(zip(self.names, origins or []))
        for number, name in enumerate(self.names if origins is None else []):
            root = os.path.join(shop.folder, "site-" + name)
            copy_site(site, root, modified=1_500_000_000 + 86_400 * number)
            self.origins[name] = shop.start(Nginx(shop.folder, "nginx-" + name, root, nginx_conf,
                                                  (hosts or {}).get(name, LOCAL)))
        self.lb = shop.start(Balancer(shop.folder, balancer, key_file=self.key, port=port,
                                      host=here, tls=tls))
        self.servers = {
            name: shop.add(Server(shop.folder, name, [self.lb], self.key, self.origins[name].url,
                                  merged(merged({"source": {"etag": "content"}}, server or {}),
                                         (each or {}).get(name, {})),
                                  (hosts or {}).get(name, LOCAL)))
            for name in self.names}
        for one in self.servers.values():
            one.start()
        self.lb.wait_online(self.names)

    @property
    def url(self):
        return f"http://{self.lb.host.address}:{self.lb.port}"

    def living(self):
        return [server for server in self.servers.values() if server.process.alive()]

    def wait_mirrored(self, timeout=None):
        """Until every living server says that all it must copy elsewhere is there."""
        until(lambda: all(lag_of(server) == 0 for server in self.living()),
              "the mirrors to catch up", timeout)

    def totals(self, counter):
        """{server: a counter of its /metrics}, of those that live."""
        return {server.name: server.metric(counter) for server in self.living()}


def lag_of(server):
    """How much of a server is on that server alone, by its /status; None if it is silent."""
    status = server.status()
    if not status:
        return None
    return sum(status["mirror"]["lag"].values()) + status["sessions"]["alone"]


def copy_site(site, root, modified):
    """Copies a folder of files, all with the given modification time."""
    shutil.copytree(site, root)
    for folder, _, names in os.walk(root):
        for name in names:
            os.utime(os.path.join(folder, name), (modified, modified))


def site_paths(site, suffixes=(".html", ".css", ".js", ".gif", ".png", ".jpg", ".svg")):
    """The targets of all files of a site, sorted."""
    found = []
    for folder, _, names in os.walk(site):
        at = os.path.relpath(folder, site)
        found += ["/" + (name if at == "." else f"{at}/{name}") for name in names
                  if name.endswith(suffixes)]
    return sorted(found)


def make_site(root, files=60, bytes_max=20000, seed=1):
    """A small site for tests: files of many sizes, none like another."""
    import random
    dice = random.Random(seed)
    os.makedirs(root)
    for number in range(files):
        with open(os.path.join(root, f"page{number:03}.html"), "wb") as page:
            page.write(b"page %d\n" % number + dice.randbytes(dice.randrange(1, bytes_max)))
    return root
