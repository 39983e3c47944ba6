//! The project file and recipes as written, resolved; the matrix and its cells; facts about CUDA releases.
