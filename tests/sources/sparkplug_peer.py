"""Sparkplug B payloads by another hand: Google's protobuf, told the messages of the specification (6.4.1)."""

import pytest

protobuf = pytest.importorskip("google.protobuf", reason="protobuf is not installed: pip install protobuf")

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402

_FIELD = descriptor_pb2.FieldDescriptorProto
_METRIC = [
    ("name", 1, _FIELD.TYPE_STRING), ("alias", 2, _FIELD.TYPE_UINT64), ("timestamp", 3, _FIELD.TYPE_UINT64),
    ("datatype", 4, _FIELD.TYPE_UINT32), ("is_historical", 5, _FIELD.TYPE_BOOL), ("is_transient", 6, _FIELD.TYPE_BOOL),
    ("is_null", 7, _FIELD.TYPE_BOOL), ("int_value", 10, _FIELD.TYPE_UINT32), ("long_value", 11, _FIELD.TYPE_UINT64),
    ("float_value", 12, _FIELD.TYPE_FLOAT), ("double_value", 13, _FIELD.TYPE_DOUBLE),
    ("boolean_value", 14, _FIELD.TYPE_BOOL), ("string_value", 15, _FIELD.TYPE_STRING),
    ("bytes_value", 16, _FIELD.TYPE_BYTES),
]  # fmt: skip
_PAYLOAD = [
    ("timestamp", 1, _FIELD.TYPE_UINT64), ("seq", 3, _FIELD.TYPE_UINT64), ("uuid", 4, _FIELD.TYPE_STRING),
    ("body", 5, _FIELD.TYPE_BYTES),
]  # fmt: skip


def _classes():
    file = descriptor_pb2.FileDescriptorProto(name="spb_test.proto", package="spb_test", syntax="proto2")
    for name, fields in (("Metric", _METRIC), ("Payload", _PAYLOAD)):
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            message.field.add(name=field, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    file.message_type[1].field.add(
        name="metrics", number=2, type=_FIELD.TYPE_MESSAGE, type_name=".spb_test.Metric", label=_FIELD.LABEL_REPEATED
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spb_test.Payload"))


Payload = _classes()
_VALUES = {1: "int_value", 2: "int_value", 3: "int_value", 5: "int_value", 6: "int_value", 7: "int_value",
           4: "long_value", 8: "long_value", 9: "float_value", 10: "double_value", 11: "boolean_value",
           12: "string_value", 13: "long_value"}  # fmt: skip


def payload(seq: int | None, at_ms: int | None, metrics) -> bytes:
    """metrics: (name, alias, datatype, value) each; a value of None is null."""
    made = Payload()
    if seq is not None:
        made.seq = seq
    if at_ms is not None:
        made.timestamp = at_ms
    for name, alias, datatype, value in metrics:
        metric = made.metrics.add()
        if name:
            metric.name = name
        if alias is not None:
            metric.alias = alias
        if datatype:
            metric.datatype = datatype
        if value is None:
            metric.is_null = True
        elif datatype in (1, 2, 3):
            metric.int_value = value & 0xFFFF_FFFF
        elif datatype == 4:
            metric.long_value = value & (1 << 64) - 1
        else:
            setattr(metric, _VALUES.get(datatype, "double_value"), value)
    return made.SerializeToString()
