"""redis_for.py SECONDS [SERVER]: redis-server, recorded like this program, under rounds of redis-benchmark, which is
not. Prints one line a command: how it went in all rounds."""
import os
import subprocess
import sys
import time

COMMANDS = ["set", "get", "incr", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop", "zadd", "zpopmin",
            "lrange_100", "mset"]


def main():
    seconds = float(sys.argv[1])
    # redis-tools holds the server under its other name
    os.symlink(sys.argv[2] if len(sys.argv) > 2 else "/usr/bin/redis-check-rdb", "redis-server")
    plain = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    with open("server.log", "wb") as log:
        server = subprocess.Popen(["./redis-server", "--port", "0", "--unixsocket", "socket", "--save", "",
                                   "--appendonly", "no", "--dir", "."], stdout=log, stderr=log)

    def ask(*words):
        done = subprocess.run(["/usr/bin/redis-cli", "-s", "socket", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=plain, text=True, check=False)
        return done.stdout

    while ask("ping") != "PONG\n":
        if server.poll() is not None:
            sys.exit(f"the server ended with {server.returncode}")
        time.sleep(0.02)
    rounds = {name: [] for name in COMMANDS}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name in COMMANDS:
            done = subprocess.run(["/usr/bin/redis-benchmark", "-s", "socket", "-q", "-c", "20", "-r", "20000", "-n",
                                   "10000", "-t", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=plain,
                                  text=True, check=False)
            rounds[name].append(done.returncode == 0 and "requests per second" in done.stdout
                                and "rror" not in done.stdout)
    for name, results in rounds.items():
        print(f"{name}: {'ok' if all(results) else 'failed'}")
    failed = [line for line in ask("info", "commandstats").splitlines()
              if "rejected_calls=" in line and not ("rejected_calls=0" in line and "failed_calls=0" in line)
              and not line.startswith("cmdstat_config")]
    print(f"commands that failed: {' '.join(failed) or 'none'}")
    ask("set", "answer", "42")
    print(f"an answer: {ask('get', 'answer').strip()}")
    ask("shutdown", "nosave")
    print(f"the server's end: {server.wait()}")


main()
