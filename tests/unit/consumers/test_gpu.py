from consumers.indexer.faiss_library import load_faiss
from consumers.indexer.gpu import on_gpu


def test_an_index_is_moved_to_a_device_where_there_is_one_and_stays_where_there_is_none() -> None:
    faiss = load_faiss()
    index = faiss.IndexFlatIP(4)
    moved = on_gpu(faiss, index)
    devices = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    assert (moved is not None) == (devices > 0)
