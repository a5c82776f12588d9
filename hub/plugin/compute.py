"""The seam: workloads. A plugin says what is to run (``new_spec``), for whom, and on what; the hub keeps it true."""

from __future__ import annotations

from hub.compute.driver import ComputeDriver
from hub.compute.events import WorkloadChanged
from hub.compute.hardware import SCENARIOS, Hardware, parse_hardware
from hub.compute.models import Desired, Sku, TaskState, Workload
from hub.compute.reports import History, Instance, LogLine, Node, Sample, Status, Usage
from hub.compute.service.clusters import Cluster, look_at_cluster
from hub.compute.service.naming import base36, path_svc_name, random_svc_name
from hub.compute.service.polling import (
    LOG_SPANS,
    Seen,
    find_history,
    find_usage,
    follow_workload,
    may_read_logs,
    read_logs,
    see_workload,
)
from hub.compute.service.reconciling import refresh, refresh_names
from hub.compute.service.rules import (
    WORKLOAD_CREATE,
    WORKLOAD_LOGS,
    WORKLOAD_READ,
    WORKLOAD_WRITE,
    may,
    may_see,
    require_workload,
)
from hub.compute.service.skus import Offer, find_sku, list_offers
from hub.compute.service.starting import report_build, start_workload, touch_workload, wake_workload
from hub.compute.service.workloads import (
    create_workload,
    delete_workload,
    get_workload,
    list_tasks,
    list_workloads,
    new_spec,
    stop_workload,
    update_workload,
)
from hub.compute.spec import Health, Kind, Mount, Resources, WorkloadSpec
from hub.compute.states import WORDS, Code, Reason
from hub.http.sse import Event, stream_events, stream_logs, stream_status

__all__ = [
    "LOG_SPANS",
    "SCENARIOS",
    "WORDS",
    "WORKLOAD_CREATE",
    "WORKLOAD_LOGS",
    "WORKLOAD_READ",
    "WORKLOAD_WRITE",
    "Cluster",
    "Code",
    "ComputeDriver",
    "Desired",
    "Event",
    "Hardware",
    "Health",
    "History",
    "Instance",
    "Kind",
    "LogLine",
    "Mount",
    "Node",
    "Offer",
    "Reason",
    "Resources",
    "Sample",
    "Seen",
    "Sku",
    "Status",
    "TaskState",
    "Usage",
    "Workload",
    "WorkloadChanged",
    "WorkloadSpec",
    "base36",
    "create_workload",
    "delete_workload",
    "find_history",
    "find_sku",
    "find_usage",
    "follow_workload",
    "get_workload",
    "list_offers",
    "list_tasks",
    "list_workloads",
    "look_at_cluster",
    "may",
    "may_read_logs",
    "may_see",
    "new_spec",
    "parse_hardware",
    "path_svc_name",
    "random_svc_name",
    "read_logs",
    "refresh",
    "refresh_names",
    "report_build",
    "require_workload",
    "see_workload",
    "start_workload",
    "stop_workload",
    "stream_events",
    "stream_logs",
    "stream_status",
    "touch_workload",
    "update_workload",
    "wake_workload",
]
