#!/usr/bin/env python3
"""A connector host side by side with a gSOAP server and nginx, in one run: `cargo xtask compare` calls this.

URL is the host's .../Services/ErpConnectorWS.svc, with the rows connector loaded (benches/rows-connector). The gSOAP
server has the same contract and the same rows (gsoap/server.cpp); nginx serves the bytes of the host's own replies from
a file, the most that the machine's HTTP can do. Rounds alternate between the servers. Printed: median requests a second
of each, the ratios of medians, the median p99 of host and gSOAP, and the peak memory of both.
Needs Debian's gsoap libgsoap-dev g++ wrk nginx-light."""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
WSDL = os.path.join(HERE, "../../tests/fixtures/wsdl/message.wsdl")
NS = "http://www.superoffice.net/EIS/Connector/1.0"
ARR = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
GUID = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf"
ROWS = 1000
ID = f"<ConnectionGuid>{GUID}</ConnectionGuid>"


def keys(of):
    return f'<ErpKeys xmlns:a="{ARR}">' + "".join(f"<a:string>{key}</a:string>" for key in of) + "</ErpKeys>"


def get_actors(of):
    return f'<GetActorsRequestWS xmlns="{NS}"><ActorType>Customer</ActorType>{ID}{keys(of)}</GetActorsRequestWS>'


def setting(key, value):
    return f"<a:KeyValueOfstringstring><a:Key>{key}</a:Key><a:Value>{value}</a:Value></a:KeyValueOfstringstring>"


# Name: operation, body, actors in the reply.
REQUESTS = {
    "config": ("WSGetConfigData", "", None),
    "test": ("WSTestConnection", f'<RequestBaseWS xmlns="{NS}">{ID}</RequestBaseWS>', None),
    "get1": ("WSGetActors", get_actors([5]), 1),
    "get100": ("WSGetActors", get_actors(range(5, 105)), 100),
    "all1000": (
        "WSGetActorsByTimestamp",
        f'<GetActorsByTimestampRequestWS xmlns="{NS}"><ActorType>Customer</ActorType>{ID}</GetActorsByTimestampRequestWS>',
        ROWS,
    ),
}
SAVE = (
    f'<SaveConnectionRequestWS xmlns="{NS}">{ID}<ConnectionInfo xmlns:a="{ARR}">'
    + setting("Filename", "rows")
    + setting("Rows", f"[I:{ROWS}]")
    + "</ConnectionInfo></SaveConnectionRequestWS>"
)
GSOAP = (
    "wsdl2h -P -o connector.h connector.wsdl && soapcpp2 -j -1 -L -x -S -I/usr/share/gsoap/import connector.h && "
    "g++ -O2 -pthread -DWITH_PURE_VIRTUAL -o server server.cpp soapC.cpp soapBasic*Service.cpp -lgsoap++"
)
NGINX = """
user root; worker_processes 2; daemon off; pid {w}/nginx.pid; error_log {w}/err.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {w}/b; proxy_temp_path {w}/p;
  fastcgi_temp_path {w}/f; uwsgi_temp_path {w}/u; scgi_temp_path {w}/c;
  server {{
    listen 127.0.0.1:{port}; client_max_body_size 64m;
    location / {{ default_type text/xml; root {w}/www; error_page 405 =200 $uri; }}
  }}
}}
"""


def envelope(body):
    return f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'


def call(url, operation, body):
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NS}/IErpConnectorWS/{operation}"'}
    request = urllib.request.Request(url, envelope(body).encode(), headers)
    return urllib.request.urlopen(request, timeout=60).read().decode()


def milliseconds(text):
    """wrk's time; without end where wrk has none to tell, because nothing was answered in time."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if not found:
        return float("inf")
    number, unit = found.groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def load(url, operation, path, seconds, connections):
    """Requests a second, and the 99th percentile in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", HERE + "/soap.lua", url]
    output = subprocess.run(command + ["--", operation, path], capture_output=True, text=True).stdout
    wrong = [line.strip() for line in output.splitlines() if "Non-2xx" in line or "Socket errors" in line]
    if wrong:
        print("  !", url, *wrong)
    a_second = re.search(r"Requests/sec:\s+(\S+)", output)
    p99 = re.search(r"99%\s+(\S+)", output)
    if not a_second or not p99:
        sys.exit(f"wrk says nothing of {url}: {output}")
    return float(a_second[1]), milliseconds(p99[1])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def peak_memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024


def start_peers(work, processes):
    """Builds and starts both; returns the ports of gSOAP and nginx."""
    shutil.copy(WSDL, work + "/connector.wsdl")
    shutil.copy(HERE + "/gsoap/server.cpp", work)
    built = subprocess.run(GSOAP, shell=True, cwd=work, capture_output=True, text=True)
    if built.returncode:
        sys.exit(f"the gSOAP server cannot be built:\n{built.stdout}\n{built.stderr}")
    gsoap, nginx = free_port(), free_port()
    processes.append(subprocess.Popen([work + "/server", str(gsoap), "16", str(ROWS)], stdout=subprocess.DEVNULL))
    os.mkdir(work + "/www")
    with open(work + "/nginx.conf", "w") as configuration:
        configuration.write(NGINX.format(w=work, port=nginx))
    path = os.environ["PATH"] + ":/usr/sbin"
    program = shutil.which("nginx", path=path)
    processes.append(subprocess.Popen([program, "-c", work + "/nginx.conf", "-p", work], stderr=subprocess.DEVNULL))
    wait_for(gsoap)
    wait_for(nginx)
    return gsoap, nginx


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("url")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--conns", type=int, default=8)
    arguments.add_argument("--pid", type=int, help="the host's process, to tell its peak memory")
    arguments.add_argument("--only", help="names of requests, with commas between them")
    arguments.add_argument("--json", help="a file to write the figures into")
    asked = arguments.parse_args()
    only = asked.only.split(",") if asked.only else list(REQUESTS)
    work, processes = tempfile.mkdtemp(prefix="peers-"), []
    try:
        gsoap_port, nginx_port = start_peers(work, processes)
        host, gsoap = asked.url, f"http://127.0.0.1:{gsoap_port}/x"
        for url in (host, gsoap):
            call(url, "WSSaveConnection", SAVE)
        figures = {}
        for name in only:
            operation, body, actors = REQUESTS[name]
            path = f"{work}/{name}.xml"
            with open(path, "w") as request:
                request.write(envelope(body))
            reply = call(host, operation, body)
            found = len(re.findall(r"<(?:\w+:)?ErpKey>", reply))
            if actors is not None and found != actors:
                sys.exit(f"{name}: the host answered {found} actors, expected {actors}: {reply[:300]}")
            with open(f"{work}/www/{name}", "w") as file:
                file.write(reply)
            servers = {"host": host, "gsoap": gsoap, "nginx": f"http://127.0.0.1:{nginx_port}/{name}"}
            rates, p99s = {server: [] for server in servers}, {server: [] for server in servers}
            # The round before the first one warms up.
            for round in range(asked.rounds + 1):
                for server, url in servers.items():
                    seconds = asked.seconds if round else 1
                    rate, p99 = load(url, operation, path, seconds, asked.conns)
                    if round:
                        rates[server].append(rate)
                        p99s[server].append(p99)
            rate = {server: statistics.median(all) for server, all in rates.items()}
            p99 = {server: statistics.median(all) for server, all in p99s.items()}
            figures[name] = {"bytes": len(reply), "rate": rate, "p99_ms": p99}
            figures[name]["to_gsoap"] = rate["host"] / rate["gsoap"]
            figures[name]["to_nginx"] = rate["host"] / rate["nginx"]
            print(
                f"{name:8} {len(reply):8} B  host {rate['host']:8.0f}/s  gsoap {rate['gsoap']:8.0f}/s  "
                f"nginx file {rate['nginx']:8.0f}/s   host/gsoap {figures[name]['to_gsoap']:5.2f}  "
                f"host/nginx {figures[name]['to_nginx']:4.2f}  p99 {p99['host']:.2f} / {p99['gsoap']:.2f} ms",
                flush=True,
            )
        for server, pid in (("host", asked.pid), ("gsoap", processes[0].pid)):
            if pid:
                figures[f"peak_{server}_mb"] = peak_memory(pid)
                print(f"peak memory of {server}: {figures[f'peak_{server}_mb']:.0f} MB")
        if asked.json:
            with open(asked.json, "w") as file:
                json.dump(figures, file, indent=1)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        shutil.rmtree(work, ignore_errors=True)


main()
