"""The playground: an author's app, the fake platform beside it, and a page to try blocks on."""
