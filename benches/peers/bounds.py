#!/usr/bin/env python3
"""What a host needs that no peer is compared with: `cargo xtask compare` calls this after the comparison.

bounds.py HOST PLUGIN: starts the program HOST with the rows connector PLUGIN, and prints
- start: from the start of the process to its first answered call, with ten plugins (median of ten starts);
- large: memory above idle while four clients each pull 100,000 rows of 20 fields at once, all of them counted;
- many: calls spread over 10,000 stored connections against calls of one, in alternating rounds."""
import argparse
import http.client
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NS = "http://www.superoffice.net/EIS/Connector/1.0"
ARR = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
PATH = "/Services/ErpConnectorWS.svc"
PLUGINS, ROWS, CLIENTS, CONNECTIONS = 10, 100_000, 4, 10_000


def guid(number):
    return f"3aef3af6-8642-4fc1-8dc9-{number:012}"


def envelope(name, members):
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<{name} xmlns="{NS}">{members}</{name}></s:Body></s:Envelope>'
    ).encode()


def setting(key, value):
    return f"<a:KeyValueOfstringstring><a:Key>{key}</a:Key><a:Value>{value}</a:Value></a:KeyValueOfstringstring>"


class Host:
    """A running host on a folder of its own."""

    def __init__(self, program, folder, arguments=()):
        command = [program, "serve", "--listen", "127.0.0.1:0", "--plugins", "plugins", "--data", "data", *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ERP_HOST_")}
        log = open(folder + "/log", "ab")
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://([\d.]+):(\d+)", line)
        if not found:
            sys.exit(f"the host does not start: {line} {open(folder + '/log').read()}")
        self.address, self.url = (found[1], int(found[2])), line.split()[-1]

    def connect(self):
        return http.client.HTTPConnection(*self.address, timeout=600)

    def send(self, connection, operation, body):
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NS}/IErpConnectorWS/{operation}"'}
        connection.request("POST", PATH, body, headers)
        return connection.getresponse()

    def ok(self, connection, operation, body):
        reply = self.send(connection, operation, body).read().decode()
        if "<State>Ok</State>" not in reply:
            sys.exit(f"{operation}: {reply[:500]}")

    def save(self, connection, number, rows):
        settings = setting("Filename", "rows") + setting("Rows", f"[I:{rows}]")
        info = f'<ConnectionInfo xmlns:a="{ARR}">{settings}</ConnectionInfo>'
        body = envelope("SaveConnectionRequestWS", f"<ConnectionGuid>{guid(number)}</ConnectionGuid>{info}")
        self.ok(connection, "WSSaveConnection", body)

    def memory(self, what):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(what + r":\s+(\d+)", status.read())[1]) / 1024

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def plugins(folder, plugin, count):
    """Copies of the plugin under other names: what stands in it as `Rows` is its name."""
    os.mkdir(folder + "/plugins")
    with open(plugin, "rb") as file:
        library = file.read()
    for number in range(count):
        with open(f"{folder}/plugins/librows_{number}.so", "wb") as file:
            file.write(library.replace(b"RowsNamed", b"RowsNam%02d" % number) if number else library)


def measure_start(program, plugin, folder):
    plugins(folder, plugin, PLUGINS)
    times = []
    for round in range(11):
        began = time.perf_counter()
        host = Host(program, folder)
        connection = host.connect()
        body = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body></s:Body></s:Envelope>'
        host.ok(connection, "WSGetConfigData", body.encode())
        # The first one copies the plugins into its cache.
        if round:
            times.append(1000 * (time.perf_counter() - began))
        host.stop()
    with open(folder + "/log") as log:
        loaded = len(re.findall("loaded", log.read())) // 11
    print(f"start: {statistics.median(times):.1f} ms to the first answered call with {loaded} plugins", flush=True)


def measure_large(program, plugin, folder):
    plugins(folder, plugin, 1)
    host = Host(program, folder)
    host.save(host.connect(), 0, ROWS)
    host.ok(host.connect(), "WSTestConnection", envelope("RequestBaseWS", f"<ConnectionGuid>{guid(0)}</ConnectionGuid>"))
    idle = host.memory("VmRSS")
    host.forget_peak()
    wrong = []

    def pull():
        members = f"<ActorType>Customer</ActorType><ConnectionGuid>{guid(0)}</ConnectionGuid>"
        reply = host.send(host.connect(), "WSGetActorsByTimestamp", envelope("GetActorsByTimestampRequestWS", members))
        rows, size, last = 0, 0, b""
        while piece := reply.read(1 << 20):
            # A mark that two pieces share is counted with the second one.
            rows += (last[-7:] + piece).count(b"<ErpKey>")
            size, last = size + len(piece), piece
        if rows != ROWS or not last.endswith(b"</s:Envelope>"):
            wrong.append((rows, last[-100:]))
        sizes.append(size)

    sizes = []
    clients = [threading.Thread(target=pull) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if wrong:
        sys.exit(f"large: a reply is not whole: {wrong}")
    above = host.memory("VmHWM") - idle
    print(f"large: {above:.0f} MB above idle ({idle:.0f} MB) while {CLIENTS} clients pull {sizes[0] / 1e6:.0f} MB each", flush=True)
    host.stop()


def measure_many(program, plugin, folder, rounds, seconds):
    plugins(folder, plugin, 1)
    host = Host(program, folder)
    connection = host.connect()
    for number in range(CONNECTIONS):
        host.save(connection, ((number + 1) * 7919) % 1000000, 10)
        if number % 5000 == 4999:
            # A connection of HTTP ends after so many requests.
            connection = host.connect()
    members = f'<ActorType>Customer</ActorType><ConnectionGuid>{guid(0)[:-12]}@</ConnectionGuid>'
    members += f'<ErpKeys xmlns:a="{ARR}"><a:string>5</a:string></ErpKeys>'
    path = folder + "/request.xml"
    with open(path, "wb") as file:
        file.write(envelope("GetActorsRequestWS", members))
    rates = {1: [], CONNECTIONS: []}
    for round in range(rounds + 1):
        for count, all in rates.items():
            command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", HERE + "/many.lua", host.url, "--", str(count), path]
            output = subprocess.run(command, capture_output=True, text=True).stdout
            if round:
                all.append(float(re.search(r"Requests/sec:\s+(\S+)", output)[1]))
    one, many = (statistics.median(all) for all in rates.values())
    print(f"many: {many:.0f}/s over {CONNECTIONS} connections, {one:.0f}/s on one: {100 * (many / one - 1):+.1f} %", flush=True)
    host.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("host")
    arguments.add_argument("plugin")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--only", default="start,large,many")
    asked = arguments.parse_args()
    program, plugin = os.path.abspath(asked.host), os.path.abspath(asked.plugin)
    for what in asked.only.split(","):
        folder = tempfile.mkdtemp(prefix="bounds-")
        try:
            if what == "start":
                measure_start(program, plugin, folder)
            elif what == "large":
                measure_large(program, plugin, folder)
            else:
                measure_many(program, plugin, folder, asked.rounds, asked.seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


main()
