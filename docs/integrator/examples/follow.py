#!/usr/bin/env python3
"""Puts a booking and follows the change feed, with Python's standard library alone.

    export ROOMWIRE_URL=http://127.0.0.1:8081/Default/api/v1 ROOMWIRE_KEY=rw_…
    python3 follow.py alice          # the organizer's id
"""
import http.client, json, os, sys, time, urllib.error, urllib.request


def call(method, path, body=None, headers={}):
    data = None if body is None else json.dumps(body).encode()
    fixed = {"Authorization": "Bearer " + os.environ["ROOMWIRE_KEY"], "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["ROOMWIRE_URL"] + path, data, {**fixed, **headers}, method=method)
    return urllib.request.urlopen(request, timeout=60)  # the feed sends a sign of life every 20 s


def follow(after):
    while True:  # the host restarts, proxies cut: go on where it stopped
        try:
            with call("GET", "/changes", headers={"Accept": "text/event-stream", "Last-Event-ID": str(after)}) as feed:
                for line in feed:
                    if line.startswith(b"data: "):
                        change = json.loads(line[len(b"data: "):])
                        yield change
                        after = change["seq"]  # a real client stores this with what it did about the change
        except urllib.error.HTTPError as e:
            problem = json.load(e)  # 410: read all bookings, then go on after the number that detail names
            if e.code < 500 and e.code != 429:
                sys.exit(problem["detail"])
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(1)


last = json.load(call("GET", "/changes?limit=1"))["last"]
booking = {"title": "From Python", "start": "2030-12-02T10:00:00Z", "end": "2030-12-02T11:00:00Z", "organizer": sys.argv[1]}
call("PUT", "/bookings/example-1", booking)
for change in follow(last):
    print(change["seq"], change["kind"], change["source"], change["id"], change["booking"]["start"], flush=True)
