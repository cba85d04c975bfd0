"""A twin of a hydraulic test rig: heat, pump leak and flow collapses, on the recorded 36 hours of ZeMA's rig."""
