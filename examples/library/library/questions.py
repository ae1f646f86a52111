"""Questions to ask: what people really want to know, always the same and in the same order.

`python -m library.questions` prints them, one a line. The written ones say where their answer stands,
so that the ranking can be tried; the others are made from the names of help topics and of what is built in.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from functools import cache
from pydoc_data.topics import topics

__all__ = ["WRITTEN", "questions"]

# The question, and how the title of a good answer begins.
WRITTEN = {
    "zip": "builtins.zip",
    "with": "with",
    "lambda": "lambda",
    "json.loads": "json",
    "how do I parse json": "json",
    "how do I write an object as json": "json",
    "what is wrong with my json document": "json.decoder.JSONDecodeError",
    "read a csv file": "csv",
    "guess the dialect of a csv file": "csv.Sniffer",
    "how do I compile a regular expression": "re.compile",
    "replace the leftmost occurrences of a pattern": "re.sub",
    "split a string by a pattern": "re.split",
    "open a file for reading": "builtins.open",
    "copy a folder with all its files": "shutil.copytree",
    "move a file": "shutil.move",
    "delete a whole directory tree": "shutil.rmtree",
    "disk usage of a path": "shutil.disk_usage",
    "path of a command on PATH": "shutil.which",
    "make a zip archive of a directory": "shutil.make_archive",
    "create a temporary file": "tempfile.",
    "create a temporary directory": "tempfile.TemporaryDirectory",
    "list files that match a pattern": "glob",
    "walk through a directory tree": "os.walk",
    "create directories recursively": "os.makedirs",
    "read an environment variable": "os.",
    "join path components": "posixpath.join",
    "does a path exist": "pathlib.Path.exists",
    "expand the tilde in a path": "posixpath.expanduser",
    "read the text of a path": "pathlib.Path.read_text",
    "compare two directories": "filecmp",
    "run a command and get its output": "subprocess",
    "run a command with a timeout": "subprocess",
    "quote a string for the shell": "shlex.quote",
    "split a shell command line": "shlex",
    "parse command line arguments": "argparse",
    "add an argument with a default": "argparse",
    "read an ini file": "configparser",
    "log to a rotating file": "logging.handlers.RotatingFileHandler",
    "set the logging level": "logging",
    "send log records over a socket": "logging.handlers.SocketHandler",
    "print a traceback": "traceback",
    "issue a deprecation warning": "warnings",
    "pretty print a nested data structure": "pprint",
    "start a thread": "threading.Thread",
    "a lock shared between threads": "threading",
    "limit access with a semaphore": "threading",
    "wait until all threads reach a barrier": "threading.Barrier",
    "run a function later in a timer": "threading.Timer",
    "pool of worker processes": "multiprocessing.pool",
    "run calls in parallel with an executor": "concurrent.futures",
    "wait for futures to complete": "concurrent.futures",
    "run an asyncio main function": "asyncio.runners.run",
    "run coroutines concurrently and gather their results": "asyncio.tasks.gather",
    "cancel a task after a timeout": "asyncio",
    "asyncio task group": "asyncio.taskgroups.TaskGroup",
    "asynchronous queue": "asyncio.queues",
    "open a network connection with asyncio streams": "asyncio.streams.open_connection",
    "shield a task from cancellation": "asyncio.tasks.shield",
    "priority queue": "queue.PriorityQueue",
    "heap": "heapq",
    "merge sorted inputs": "heapq.merge",
    "find the n largest elements": "heapq.nlargest",
    "insert into a sorted list": "bisect",
    "sort a list": "",
    "sort a dictionary by value": "",
    "reverse a sequence": "",
    "count elements": "collections.Counter",
    "ordered dictionary": "collections.OrderedDict",
    "default value for missing keys": "",
    "named tuple": "collections.namedtuple",
    "chain several mappings": "collections.ChainMap",
    "topological order of a graph": "graphlib",
    "cartesian product of iterables": "itertools.product",
    "combinations of a list": "itertools.combinations",
    "all permutations": "itertools.permutations",
    "group consecutive items by a key": "itertools.groupby",
    "chain iterables": "itertools.chain",
    "accumulated sums": "itertools.accumulate",
    "cache the results of a function": "functools",
    "partial application of a function": "functools.partial",
    "generic function dispatch on type": "functools.singledispatch",
    "keep the name of a wrapped function": "functools.",
    "context manager from a generator": "contextlib",
    "suppress an exception": "contextlib.suppress",
    "redirect standard output": "contextlib.redirect_stdout",
    "data class": "dataclasses",
    "convert a dataclass to a dictionary": "dataclasses.asdict",
    "abstract base class": "abc",
    "enumeration of constants": "enum",
    "flags that can be combined": "enum",
    "shallow copy or deep copy": "copy",
    "weak reference to an object": "weakref",
    "run a finalizer when an object is collected": "weakref.finalize",
    "serialize an object with pickle": "pickle",
    "persistent dictionary on disk": "shelve",
    "connect to a sqlite database": "sqlite3",
    "current date and time": "datetime",
    "difference between two dates": "datetime",
    "parse a date in iso format": "datetime",
    "time zone by its name": "datetime",
    "is this a leap year": "calendar.isleap",
    "print the calendar of a month": "calendar",
    "measure how long code takes": "timeit",
    "sleep for some seconds": "time.sleep",
    "monotonic clock": "time.monotonic",
    "schedule an event for later": "sched",
    "random number between two values": "random",
    "shuffle a list": "random.Random.shuffle",
    "choose a random element": "random",
    "secure random token": "secrets",
    "generate a uuid": "uuid",
    "mean and standard deviation": "statistics",
    "median of data": "statistics.median",
    "greatest common divisor": "math.gcd",
    "square root": "math",
    "factorial": "math.factorial",
    "exact fractions": "fractions",
    "hash a file with sha256": "hashlib",
    "compare digests in constant time": "hmac",
    "encode bytes as base64": "base64",
    "pack binary data into bytes": "struct",
    "compress with gzip": "gzip",
    "extract a zip file": "zipfile",
    "open a url": "urllib.request",
    "parse a url": "urllib.parse",
    "escape special characters in html": "html.escape",
    "parse html tags": "html.parser",
    "simple http server": "http.server",
    "handle a http request": "http.server",
    "send an email": "smtplib",
    "parse an xml document": "xml.etree.ElementTree",
    "open a browser window": "webbrowser",
    "create a tcp server": "socketserver",
    "create a socket connection": "socket.create_connection",
    "wait for a socket to be ready": "selectors",
    "handle a signal": "signal",
    "ask for a password": "getpass",
    "difference between two texts": "difflib",
    "words that are spelled alike": "difflib",
    "wrap a long paragraph": "textwrap",
    "remove indentation from text": "textwrap.dedent",
    "string template with placeholders": "string",
    "format a number": "",
    "make a unit test": "unittest.case",
    "assert that an exception is raised": "unittest.case",
    "create a virtual environment": "venv",
    "import a module by name": "import",
    "which operating system is this": "platform",
    "recursion limit": "sys",
    "size of an object in bytes": "sys.getsizeof",
    "what is a generator": "",
    "how does the for statement work": "for",
    "try except finally": "try",
    "raise an exception": "",
    "global variables": "global",
    "string formatting syntax": "format",
    "operator precedence": "operator-summary",
    "multiple inheritance": "",
    "special method names": "specialnames",
    "attribute access": "attribute-access",
    "slicing a sequence": "",
    "comparison of objects": "",
    "truth value of an object": "truth",
    "unpack a tuple in an assignment": "assignment",
    "list comprehension": "",
    "delete a name": "del",
    "how do imports find a module": "import",
    "breakpoints in the debugger": "debugger",
}


@cache
def questions() -> tuple[str, ...]:
    """All questions, each once: more than 300, the same for everybody with this version of Python."""
    return tuple(dict.fromkeys([*WRITTEN, *_made()]))


def _made() -> Iterator[str]:
    for topic in sorted(topics):
        yield f"what is {topic.replace('-', ' ')} about"
    for name, value in sorted(vars(builtins).items()):
        if name.startswith("_") or not callable(value):
            continue
        wanted = isinstance(value, type) and issubclass(value, BaseException)
        yield f"when is {name} raised" if wanted else f"what does {name} do"
    for owner in (str, list, dict, set, bytes):
        for name in sorted(vars(owner)):
            if not name.startswith("_"):
                yield f"what does {owner.__name__}.{name} do"


if __name__ == "__main__":
    sys.stdout.write("\n".join(questions()) + "\n")
