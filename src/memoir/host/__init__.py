"""A Hugging Face model and its tokenizer, with one linear layer singled out as the site of edits.

Everything the rest of memoir asks of a model goes through :class:`Host`: reading activations,
replaying the upper layers, generating, and attaching a module. Nobody else touches the model.
"""

from memoir.host.attachment import Attachment as Attachment
from memoir.host.attachment import SiteModule as SiteModule
from memoir.host.host import Host as Host
from memoir.host.host import Reading as Reading
from memoir.host.scoped import Fed as Fed
from memoir.host.sites import Site as Site
from memoir.host.tokens import TokenBatch as TokenBatch
