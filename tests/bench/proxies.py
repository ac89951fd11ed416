"""The three proxies that `make bench` compares, each with one thread, in front of the same three
origins, with the same stickiness: a client without a cookie is given to the next origin and gets a
cookie that brings it back there.

Stock nginx has no sticky upstreams. The nearest that it can do at the same cost: split_clients
draws an origin for a client without a cookie, a map sends one with a cookie to the origin that it
names, and the cookie is set in the answer that drew it. HAProxy inserts its cookie and cuts it out
of the request, as tandem-lb does. Neither is asked to add X-Forwarded-* or Via, which tandem-lb
does: that favours them. All pool connections to the origins; nothing is logged.
"""

import os
import subprocess

from ports import free_ports
from process import Process, until

PROXY_CPUS = {0}


def make_certificate(folder):
    """A self-signed certificate (P-256); the path of chain + key in one file."""
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "30", "-subj", "/CN=bench.example", "-keyout", key, "-out",
         certificate], check=True, capture_output=True)
    both = os.path.join(folder, "site.pem")
    with open(both, "w", encoding="ascii") as out:
        for part in (certificate, key):
            with open(part, encoding="ascii") as text:
                out.write(text.read())
    return both


class Proxy:
    name = ""

    def __init__(self, folder, origins, certificate):
        self.folder = os.path.join(folder, self.name)
        os.makedirs(self.folder)
        self.origins = origins
        self.certificate = certificate
        self.port, self.tls_port, self.extra_port = free_ports(3)
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def launch(self, argv):
        self.process = Process(self.name, argv, os.path.join(self.folder, "log"), cpus=PROXY_CPUS,
                               cwd=self.folder).start()
        self.process.wait_listening(self.port)

    def worker_pids(self):
        """The processes that do the work."""
        return [self.process.pid]

    def stop(self):
        if self.process:
            self.process.stop()


class Haproxy(Proxy):
    name = "haproxy"

    def start(self):
        servers = "\n".join(
            f"    server app{i} 127.0.0.1:{port} cookie app{i} check inter 1s"
            for i, port in enumerate(self.origins, 1))
        self.launch(["haproxy", "-db", "-f", self.write("haproxy.cfg", f"""
global
    nbthread 1
    maxconn 9000
defaults
    mode http
    timeout connect 5s
    timeout client 120s
    timeout server 60s
    timeout http-keep-alive 120s
frontend front
    bind 127.0.0.1:{self.port}
    bind 127.0.0.1:{self.tls_port} ssl crt {self.certificate}
    default_backend apps
backend apps
    balance roundrobin
    cookie SRV insert indirect nocache httponly
    http-reuse always
{servers}
""")])


class Nginx(Proxy):
    name = "nginx"

    def start(self):
        upstreams = "\n".join(
            f"    upstream app{i} {{ server 127.0.0.1:{port}; keepalive 256; "
            "keepalive_requests 1000000000; }" for i, port in enumerate(self.origins, 1))
        self.launch(["nginx", "-p", self.folder, "-e", "error.log", "-c", self.write(
            "nginx.conf", f"""
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 18000; }}
http {{
    access_log off;
    keepalive_timeout 120s;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_max_temp_file_size 0;
{upstreams}
    split_clients $request_id $drawn {{ 33.3% app1; 33.3% app2; * app3; }}
    map $cookie_SRV $app {{ app1 app1; app2 app2; app3 app3; default $drawn; }}
    map $cookie_SRV $set {{ app1 ""; app2 ""; app3 ""; default "SRV=$drawn; Path=/; HttpOnly"; }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        listen 127.0.0.1:{self.tls_port} ssl backlog=4096;
        ssl_certificate {self.certificate};
        ssl_certificate_key {self.certificate};
        location / {{
            proxy_pass http://$app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            add_header Set-Cookie $set;
        }}
    }}
}}
""")])

    def worker_pids(self):
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"

        def read():
            with open(children, encoding="ascii") as file:
                return [int(pid) for pid in file.read().split()]
        return until(read, "nginx to start its worker")


class Tandem(Proxy):
    name = "tandem"

    def __init__(self, folder, origins, certificate, program, name=None, affinity="cookie"):
        self.name = name or self.name
        super().__init__(folder, origins, certificate)
        self.program = program
        self.affinity = affinity

    def start(self):
        servers = "\n".join(
            f"""[[server]]
name = "app{i}"
address = "127.0.0.1:{port}"
capacity = 100000
threshold = 100000""" for i, port in enumerate(self.origins, 1))
        self.launch([self.program, "--config", self.write("tandem-lb.toml", f"""
workers = 1
[front]
listen = ["127.0.0.1:{self.port}"]
tls_listen = ["127.0.0.1:{self.tls_port}"]
certificates = ["{self.certificate}"]
[admin]
listen = "127.0.0.1:{self.extra_port}"
[check]
interval = "1s"
[session]
affinity = "{self.affinity}"
{servers}
""")])


def all_proxies(folder, origins, certificate, tandem_program):
    proxies = [Haproxy(folder, origins, certificate), Nginx(folder, origins, certificate)]
    if tandem_program:
        proxies.append(Tandem(folder, origins, certificate, tandem_program))
    return proxies
