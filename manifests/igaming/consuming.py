"""Takes events from a queue, when it is told to: the consumer of a pod of app.py.

The queue is a folder, EVENTS, as a broker with one consumer group is: an event is a file in `new`, whoever renames it
into `taken` has it, and what was handled is a line of `handled`: the event, the revision, the pod, when. What is taken
and not handled when the process ends is lost; so a pod that is told to stop ends what it has in hand first.

    EVENTS=/queue               takes events from there, once it is told to: POST /internal/consume
                                {"consume": true, "seal": "..."}
    BROKER=                     takes them from Kafka instead, such as 127.0.0.1:9092/bets/settlement for a topic and
                                a group, and leaves the group when it stops; needs the package confluent_kafka
    AMQP=                       takes them from RabbitMQ instead, such as amqp://user:password@127.0.0.1:5672/bets for a
                                queue, one at a time, and is no consumer of it any more when it stops; with HOLDS the
                                exclusive one; needs the package pika
    FANOUT=                     an exchange: the queue is then one of the revision's own, `bets-r2`, that gets a copy of
                                each event and goes with its last consumer
    PACKAGES=                   a folder in which such a package is, where it is not among those of the interpreter
    EVENT_TAKES=5ms             how long one takes
    CONSUMES=paused             or `asPeers`: from the start where a pod of its revision behind PEERS_URL does;
                                or `consuming`: from the start, which no release can allow
    PEERS_URL=                  its own Service, such as http://payments/internal/consume
    HOLDS=                      is the only holder: one pod of a revision by a lock of that revision, and of two
                                revisions by nobody's care but the release's; `holders` tells who took and let go
    CONSUME_DEAF=               GET /internal/consume never answers, POST neither

GET /internal/consume says `consuming`, true also for a pod that waits for its turn to hold, and `since` when.
"""

import fcntl
import json
import sys
import threading
import time
import urllib.request
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from app import Settings
    from pika.adapters.blocking_connection import BlockingChannel

Fields = dict[str, object]
IDLE_SECONDS = 0.005
PEERS_SECONDS = 0.5
POLL_SECONDS = 0.1
ACCESS_REFUSED = 403  # AMQP's reply to a consumer beside an exclusive one


class Consumer:
    """The one consumer of a pod; `consuming` until it has let go of everything."""

    def __init__(self, settings: "Settings", env: dict[str, str], event_seconds: float) -> None:
        self.settings, self.folder, self.event_seconds = settings, Path(env["EVENTS"]), event_seconds
        self.amqp, self.fanout = env.get("AMQP", ""), env.get("FANOUT", "")
        self.broker, self.packages = env.get("BROKER", ""), env.get("PACKAGES", "")
        self.holds, self.peers = bool(env.get("HOLDS")), env.get("PEERS_URL", "")
        self.deaf = bool(env.get("CONSUME_DEAF"))
        self.told, self.seal = False, ""
        for name in ("new", "taken"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.consuming = self.wanted = False
        self.since = now()
        self.wake = threading.Event()
        start = env.get("CONSUMES", "paused")
        if start == "consuming":
            self.want(wanted=True)
        if start == "asPeers":
            threading.Thread(target=self.ask_peers, daemon=True).start()
        threading.Thread(target=self.run, daemon=True).start()

    def page(self) -> "tuple[int, Fields] | None":
        return None if self.deaf else (200, {"consuming": self.consuming, "since": self.since})

    def tell(self, fields: Fields) -> "tuple[int, Fields] | None":
        """Do as an order says, unless one with a later seal came first: that one counts."""
        consume, seal = fields.get("consume"), str(fields.get("seal", ""))
        if self.deaf:
            return None
        if not isinstance(consume, bool):
            raise ValueError('expected {"consume": true} or false')  # noqa: TRY004 a client's mistake
        if seal < self.seal:
            return 409, {"error": f"the order of {self.seal} came first"}
        self.told, self.seal = True, seal
        self.want(wanted=consume)
        return 200, {"consuming": self.consuming}

    def want(self, *, wanted: bool) -> None:
        self.wanted = wanted
        if wanted:
            self.say(consuming=True)
        self.wake.set()

    def say(self, *, consuming: bool) -> None:
        if consuming is not self.consuming:
            self.consuming, self.since = consuming, now()

    def ask_peers(self) -> None:
        """Do as pods of this revision do, unless somebody says what to do first."""
        while not self.told and not self.wanted:
            if self.a_peer_consumes():
                self.want(wanted=True)
            time.sleep(PEERS_SECONDS)

    def a_peer_consumes(self) -> bool:
        try:
            with urllib.request.urlopen(self.peers, timeout=PEERS_SECONDS) as answer:
                said = json.load(answer)
        except (OSError, ValueError):
            return False
        return said.get("consuming") is True and said.get("revision") == self.settings.revision

    def run(self) -> None:
        while True:
            self.wake.wait()
            self.wake.clear()
            if self.holds and not self.amqp:
                self.hold()
            else:
                self.take_events()
            self.say(consuming=self.wanted)

    def take_events(self) -> None:
        if self.broker:
            self.take_from_broker()
        elif self.amqp:
            self.take_from_rabbitmq()
        while self.wanted:
            if not self.take_one():
                time.sleep(IDLE_SECONDS)

    def take_one(self) -> bool:
        """Take the oldest event that nobody else takes first, and handle it."""
        for event in sorted((self.folder / "new").iterdir()):
            mine = self.folder / "taken" / event.name
            try:
                event.rename(mine)
            except OSError:  # another pod was faster
                continue
            time.sleep(self.event_seconds)
            self.handled(event.name)
            mine.unlink()
            return True
        return False

    def find_packages(self) -> None:
        if self.packages and self.packages not in sys.path:
            sys.path.append(self.packages)

    def take_from_broker(self) -> None:
        """Be a member of the group while it is wanted, and leave it before that is said to be over."""
        self.find_packages()
        from confluent_kafka import Consumer as Member

        address, topic, group = self.broker.split("/")
        settings = {"enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
        member = Member({"bootstrap.servers": address, "group.id": group, **settings})
        member.subscribe([topic])
        try:
            while self.wanted:
                event = member.poll(POLL_SECONDS)
                if event is not None and event.error() is None:
                    time.sleep(self.event_seconds)
                    self.handled(event.value().decode())
                    member.commit(event, asynchronous=False)
        finally:
            member.close()

    def take_from_rabbitmq(self) -> None:
        """Be a consumer of the queue while it is wanted; where somebody else is the exclusive one, wait for its end."""
        self.find_packages()
        import pika
        from pika.exceptions import ChannelClosedByBroker

        address, _, queue = self.amqp.rpartition("/")
        with pika.BlockingConnection(pika.URLParameters(address)) as line:
            while self.wanted:
                try:
                    self.take_deliveries(line.channel(), queue)
                except ChannelClosedByBroker as error:
                    if error.reply_code != ACCESS_REFUSED:
                        raise
                    line.sleep(POLL_SECONDS)

    def take_deliveries(self, channel: "BlockingChannel", queue: str) -> None:
        """Handle one message after the other; one that was sent and not begun when it stops goes back to the queue."""
        channel.basic_qos(prefetch_count=1)
        if self.fanout:
            queue = f"{queue}-{self.settings.revision}"
            channel.queue_declare(queue, auto_delete=True)
            channel.queue_bind(queue, self.fanout)
        for sent, _, body in channel.consume(queue, exclusive=self.holds, inactivity_timeout=POLL_SECONDS):
            if not self.wanted:
                break
            if sent is not None and body is not None:
                time.sleep(self.event_seconds)
                self.handled(body.decode(), again=sent.redelivered)
                channel.basic_ack(sent.delivery_tag)
        channel.cancel()

    @property
    def who(self) -> str:
        return f"{self.settings.revision} {self.settings.pod}"

    def handled(self, event: str, *, again: bool = False) -> None:
        self.write("handled", f"{event} {self.who} {time.time():.3f}{' redelivered' * again}")

    def write(self, file: str, line: str) -> None:
        """Add a line to a file that all pods write to; so short a write is whole (O_APPEND)."""
        with (self.folder / file).open("a") as log:
            log.write(f"{line}\n")

    def hold(self) -> None:
        """Hold while it is wanted, once no pod of this revision does; whether another revision does is only told."""
        with (self.folder / f"holder.{self.settings.revision}").open("w") as own:
            while self.wanted:
                if locked(own):
                    self.held()
                    return
                time.sleep(IDLE_SECONDS)

    def held(self) -> None:
        with (self.folder / "holder").open("w") as one:
            alone = locked(one)
            self.write("holders", f"{'took' if alone else 'BESIDE-ANOTHER'} {self.who}")
            self.take_events()
            self.write("holders", f"let-go {self.who}")


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def locked(file: "TextIO") -> bool:
    """Take the lock of an open file; it goes when that is closed, or the process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
