from ._async import AsyncConnector
from ._errors import *
from ._http import Cancelled
from ._sources import LookupFailed
from ._sync import CancelToken, Connector
