"""The panel: fixed classifiers that try to tell the original from the twin. Nobody tunes them to a twin.

    likelihood   logistic regression on the twin's own log-likelihood and NIS of the window
    logistic     logistic regression on all features
    trees        gradient-boosted trees on all features
    network      a small multilayer perceptron on the standardized readings and innovations themselves

A weak panel certifies anything, so what a panel is worth is what its controls say (controls.py).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false

import hashlib
import importlib.metadata
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ectype.errors import Misconfigured
from ectype.fidelity.features import BANDS, LAGS, features, likelihood, sequences
from ectype.fidelity.trial import Trial
from ectype.values.block import Float64s

MEMBERS: Mapping[str, Callable[[Trial], Float64s]] = {
    "likelihood": likelihood,
    "logistic": features,
    "trees": features,
    "network": sequences,
}
_NEEDED = "a certificate needs scikit-learn: pip install 'ectype[fidelity]'"
VERSION = 1
TREES = {"max_iter": 80, "learning_rate": 0.06, "max_leaf_nodes": 6, "min_samples_leaf": 20, "l2_regularization": 5.0}
NETWORK = {"hidden_layer_sizes": (16,), "alpha": 3.0, "max_iter": 40}
LOGISTIC = {"likelihood": {"C": 1.0, "max_iter": 2000}, "logistic": {"C": 0.05, "max_iter": 2000}}


def digest() -> str:
    """Names the panel: its settings and the library's version."""
    try:
        version = importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError as error:
        raise Misconfigured(_NEEDED) from error
    said = f"{VERSION} {TREES} {NETWORK} {LOGISTIC} {LAGS} {BANDS} scikit-learn {version}"
    return hashlib.sha256(said.encode()).hexdigest()


@final
class Panel:
    """Classifiers fitted on rows that belong to one of two. Raises Misconfigured where scikit-learn is not installed.

    rows: classifier -> [r, what it looks at]; labels [r]: 1 is the first kind, 0 the second.
    """

    def __init__(self, rows: Mapping[str, Float64s], labels: Float64s, seed: int = 0) -> None:
        self._fitted: dict[str, Any] = {}
        for name, x in rows.items():
            model = _classifier(name, seed)
            with warnings.catch_warnings(), _one_thread():
                warnings.filterwarnings("ignore", module="sklearn")  # not converged: stopped early, as meant
                model.fit(x, labels)
            self._fitted[name] = model

    @classmethod
    def of(cls, trial: Trial) -> "Panel":
        """The original against the draws, as many rows of each."""
        rows: dict[str, Float64s] = {}
        draws = trial.z.shape[1] - 1
        for name, look in MEMBERS.items():
            x = look(trial)
            rows[name] = np.concatenate([np.repeat(x[:, 0], draws, 0), x[:, 1:].reshape(-1, x.shape[2])])
        return cls(rows, np.repeat([1.0, 0.0], len(trial) * draws))

    @classmethod
    def named(cls, trial: Trial, names: NDArray[np.bool_]) -> "Panel":
        """The original's windows with that name [n] against its windows without."""
        return cls({name: look(trial)[:, 0] for name, look in MEMBERS.items()}, names.astype(np.float64))

    def scores(self, trial: Trial) -> Mapping[str, Float64s]:
        """Member -> [n, members]: log-odds that it is the original."""
        out: dict[str, Float64s] = {}
        for name, model in self._fitted.items():
            x = MEMBERS[name](trial)
            with _one_thread():
                p = np.asarray(model.predict_proba(x.reshape(-1, x.shape[2])))[:, 1].clip(1e-9, 1 - 1e-9)
            out[name] = np.log(p / (1 - p)).reshape(x.shape[:2])
        return out


def _one_thread() -> AbstractContextManager[Any]:
    """A few thousand rows are no work for many threads: on a busy machine waiting for each other takes them minutes."""
    try:
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ImportError as error:
        raise Misconfigured(_NEEDED) from error
    return threadpool_limits(1)


def _classifier(name: str, seed: int) -> Any:
    try:  # here, so that the rest of the package can be read and tested without it
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise Misconfigured(_NEEDED) from error
    kinds: Any = (HistGradientBoostingClassifier, MLPClassifier, LogisticRegression, make_pipeline, StandardScaler)
    trees, network, logistic, pipeline, scaler = kinds
    if name == "trees":
        return trees(early_stopping=False, random_state=seed, **TREES)
    if name == "network":
        return pipeline(scaler(), network(random_state=seed, **NETWORK))
    return pipeline(scaler(), logistic(**LOGISTIC[name]))
