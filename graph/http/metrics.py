"""What the server measures of itself, for Prometheus: a fixed set of labels, whatever clients send."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mailer.courier import OUTCOMES
from models.db import database
from resolvers import security_log, storage

PLACES = ("graphql", "account", "exports", "mails", "static", "healthz", "readyz", "metrics")

REDIS_USES = ("limits", "wakings")


class Servers(Collector):
    """What is read off at the moment it is asked for: the use of the database's connections, and of the store."""

    def collect(self) -> Iterable[Metric]:
        """The measures, which are this process's."""
        load = database.load()
        yield GaugeMetricFamily("rattache_database_connections", "Connections to the database.", load.connections)
        yield GaugeMetricFamily("rattache_database_connections_in_use", "Those of them in use.", load.in_use)
        yield GaugeMetricFamily("rattache_database_waiting", "Tasks that wait for a connection.", load.waiting)
        for name, told, counts in (
            ("rattache_store_operations", "What was asked of the store of documents.", storage.asked),
            ("rattache_store_failures", "What of it failed.", storage.failed),
        ):
            family = CounterMetricFamily(name, told, labels=["operation"])
            for operation in storage.OPERATIONS:
                family.add_metric([operation], counts[operation])
            yield family


class Metrics:
    """The measures of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "rattache_request_seconds", "Time to answer a request.", ["place", "status"], registry=self.registry
        )
        self.operations = Counter(
            "rattache_operations", "GraphQL operations by outcome: ok, or the code of the first error.", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.security = Counter(
            "rattache_security_events", "Lines of the security log by outcome.", ["outcome"], registry=self.registry
        )
        for outcome in security_log.OUTCOMES:
            self.security.labels(outcome)  # shown from the start: an alarm on an increase sees the first one
        self.unsent = Gauge("rattache_outbox_unsent", "Mails that wait to be sent.", registry=self.registry)
        self.oldest = Gauge(
            "rattache_outbox_oldest_seconds", "How long the oldest of them has waited.", registry=self.registry
        )

        self.refused = Counter(
            "rattache_connections_refused", "What was refused before any application saw it, by reason.",
            ["reason"], registry=self.registry,
        )  # fmt: skip
        self.live_connections = Gauge(
            "rattache_live_connections", "Connections of signed-in readers, WebSocket or event stream.",
            registry=self.registry,
        )  # fmt: skip
        self.live_streams = Gauge("rattache_live_streams", "Subscriptions that are live.", registry=self.registry)
        self.live_deliveries = Counter("rattache_live_deliveries", "Responses delivered.", registry=self.registry)
        self.live_executions = Counter(
            "rattache_live_executions", "Executions behind the deliveries: one serves many.", registry=self.registry
        )
        self.live_endings = Counter(
            "rattache_live_endings", "Streams and connections ended by the server, by code.", ["code"],
            registry=self.registry,
        )  # fmt: skip

        self.job_runs = Counter(
            "rattache_job_runs", "Runs of jobs by outcome: done, failed, or delayed since a server was away.",
            ["job", "outcome"], registry=self.registry,
        )  # fmt: skip
        self.job_success = Gauge(
            "rattache_job_last_success_timestamp_seconds", "When a job was last done, in seconds since 1970.", ["job"],
            registry=self.registry,
        )  # fmt: skip
        self.mails = Counter(
            "rattache_mails", "What became of the mails that were tried.", ["outcome"], registry=self.registry
        )
        self.redis_failures = Counter(
            "rattache_redis_failures", "Failures of Redis, by what it was asked for.", ["use"], registry=self.registry
        )
        self.redis_away = Gauge(
            "rattache_redis_away", "Is Redis away: 1 from a failure until it answers again.", ["use"],
            registry=self.registry,
        )  # fmt: skip
        for outcome in OUTCOMES:
            self.mails.labels(outcome)
        for use in REDIS_USES:
            self.redis_failures.labels(use)
            self.redis_away.labels(use)
        self.registry.register(Servers())

    def job(self, name: str, outcome: str) -> None:
        """Count one run of a job."""
        self.job_runs.labels(name, outcome).inc()
        if outcome == "done":
            self.job_success.labels(name).set_to_current_time()

    def mail(self, outcome: str) -> None:
        """Count one mail that was tried."""
        self.mails.labels(outcome).inc()

    def redis(self, use: str, answers: bool) -> None:
        """Note that Redis failed, or that it is back."""
        self.redis_away.labels(use).set(not answers)
        if not answers:
            self.redis_failures.labels(use).inc()

    def observe(self, path: str, status: int, outcome: str, seconds: float) -> None:
        """Count one answered request; `outcome` is empty unless it was a GraphQL operation."""
        place = path.split("/", 2)[1] if path.startswith("/") else ""
        self.seconds.labels(place if place in PLACES else "other", f"{status // 100}xx").observe(seconds)
        if outcome:
            self.operations.labels(outcome).inc()

    def refuse(self, reason: str) -> None:
        """Count one connection or request that was refused early."""
        self.refused.labels(reason).inc()

    def note(self, outcome: str) -> None:
        """Count one line of the security log."""
        self.security.labels(outcome).inc()

    def outbox(self, number: int, since: datetime | None, now: datetime) -> None:
        """Note how many mails wait, and since when."""
        self.unsent.set(number)
        self.oldest.set(max(0.0, (now - since).total_seconds()) if since else 0.0)

    def outbox_unknown(self) -> None:
        """Show no number of mails rather than an old one."""
        self.unsent.set(float("nan"))
        self.oldest.set(float("nan"))

    def text(self) -> bytes:
        """All measures in Prometheus' text format."""
        return generate_latest(self.registry)
