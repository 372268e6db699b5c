# finds tag-vanished
FROM nvidia/cuda:10.2-devel-ubuntu18.04
