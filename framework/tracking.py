from pydantic.dataclasses import dataclass
@dataclass(frozen=True)
class TrackingConfig:
    mode: str = "offline"
def track(*a, **k): return None
