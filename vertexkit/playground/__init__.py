"""The playground of `vertexkit dev`: a web page that runs an author's blocks on a fake platform."""
