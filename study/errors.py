"""What can go wrong, in words for the user; each says with which status the command ends."""


class HotlandError(Exception):
    """Base of all errors whose text is meant for the user, without a traceback."""

    exit_status = 2


class ConfigError(HotlandError):
    """A file is wrong; the text names the file and, line by line, the key, what is allowed, and the value."""


class OptionError(HotlandError):
    """An option of a command is wrong, or does not go with the others; the text names it and says what is allowed."""


class EnsembleError(HotlandError):
    """A store that cannot be used as asked; the text says why and what to do."""


class StorageError(HotlandError):
    """A folder or object store that cannot be used; the text says why."""


class ClusterError(HotlandError):
    """There is no such cluster."""


class NodeError(ClusterError):
    """A node of a cluster that must not compute; `node` is its number in Ray."""

    def __init__(self, text: str, node: str = "") -> None:
        super().__init__(text)
        self.node = node


class RunError(HotlandError):
    """The run failed, through no fault of the study; the text says where and why."""

    exit_status = 1


class ClusterLostError(RunError):
    """The head of the cluster is gone, and with it the way to end Ray in this process in good order."""
