"""The data plane of Azure Digital Twins: every operation of its four stable api-versions, so stock SDKs work.

    request ─► door (path → operation, api-version, who asks) ─► one file per group of operations ─► node's GraphView

docs/azure-digital-twins.md says what is as there, what is better, and what differs.
"""
